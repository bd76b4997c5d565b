"""Verification: do the models behind an artifact still answer as they did?

- ``canaries``: records what a program answers, into its artifact. ``asking``: asks again.
- ``runs``: runs without caches, as plain data. ``drift``: the test. ``distance``: how far two
  replies are apart.
"""

from langprog.verification.asking import Verification, verify
from langprog.verification.canaries import MOST_ROWS, REPLIES, arecord_canaries, record_canaries
from langprog.verification.drift import ChangedReply, DriftTest, StreamResult

__all__ = [
    "ChangedReply",
    "DriftTest",
    "MOST_ROWS",
    "REPLIES",
    "StreamResult",
    "Verification",
    "arecord_canaries",
    "record_canaries",
    "verify",
]
