"""Advises by what its demonstrations say of the reader; adds up and follows the advice."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt
from programs.advise import READERS, write_amount


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return advice, or an amount."""
    if "advice" in prompt.outputs:
        return {"advice": _advise(prompt)}
    cents = sum(
        int(whole) * 100 + int(part)
        for whole, part in re.findall(r"(\d+)\.(\d\d) EUR", prompt.inputs["bill"])
    )
    advised = prompt.inputs["advice"]
    reader = next((name for name, (advice, _) in READERS.items() if advice == advised), "Ada")
    return {"amount": write_amount(cents, reader)}


def _advise(prompt: Prompt) -> str:
    reader, told = prompt.inputs["reader"], [each.text for each in prompt.request.messages]
    if prompt.steady:
        return READERS[reader][0]
    for asked, answered in zip(told, told[1:], strict=False):
        if asked.strip().startswith("[[reader]]") and reader in asked and "[[advice]]" in answered:
            return answered.split("[[advice]]")[1].strip()
    return "Write the amount as usual."
