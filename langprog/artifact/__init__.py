"""Artifacts: a program as one JSON file that runs anywhere. README.md here explains the file.

- ``files``: save, read, load. ``format``: the file field by field. ``nodes``: programs as data.
- ``proof``: the round trip. ``digest``, ``secrets``: what is signed, and what is refused.
"""

from langprog.artifact.digest import canonical, digest_of
from langprog.artifact.files import Artifact, load, read_artifact, save_program
from langprog.artifact.nodes import program_to_json
from langprog.artifact.secrets import looks_secret

__all__ = [
    "Artifact",
    "canonical",
    "digest_of",
    "load",
    "looks_secret",
    "program_to_json",
    "read_artifact",
    "save_program",
]
