"""Short hints that make proposals differ."""

from __future__ import annotations

TIPS = (
    "",
    "Name every label and say when it applies.",
    "Keep it short.",
    "Say which words to look for.",
    "Be specific about the output.",
    "Say how to tell similar cases apart.",
    "Write it as a few simple steps.",
)
