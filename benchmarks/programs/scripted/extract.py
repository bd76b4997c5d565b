"""Reads the order with patterns; now and then takes the first number for the count."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from benchmarks.programs.scripted import Prompt

DATES = {
    r"\d{4}-\d{2}-\d{2}": "%Y-%m-%d",
    r"\d{2} [A-Z][a-z]+ \d{4}": "%d %B %Y",
    r"[A-Z][a-z]+ \d{1,2}, \d{4}": "%B %d, %Y",
}


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return the record; a date as it stands there, where the model slips."""
    message = prompt.inputs["message"]
    said, form = next(
        (match[0], form)
        for pattern, form in DATES.items()
        if (match := re.search(pattern, message))
    )
    rest = message.replace(said, " ")
    count = int((re.search(r"\d+", rest) or ["1"])[0])
    item = (re.search(r"\d+ ([a-z]+)", rest) or re.search(r"Number of ([a-z]+)", rest) or "  ")[1]
    people = re.findall(r"[A-Z][a-z]+ [A-Z][a-z]+", rest)
    customer = next(name for name in people if not name.startswith(("Kind", "Thank", "Order")))
    day = datetime.strptime(said, form).date()
    if prompt.slips(0.6):
        count, day = day.day, day
    return {"customer": customer, "item": item, "count": count, "delivery": day.isoformat()}
