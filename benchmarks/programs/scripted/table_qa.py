"""Writes a query from the words of the question, now and then without its last condition."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.programs.scripted import Prompt

PRODUCT = re.compile(r"of a (\w+)")
CITY = re.compile(r"come from (\w+)")
NAME = re.compile(r"has (\w+) (?:made|spent)")


def reply(prompt: Prompt) -> dict[str, Any]:
    """Return a query, or the answer in the rows of one."""
    if "rows" in prompt.inputs:
        return {"answer": prompt.inputs["rows"].splitlines()[-1]}
    question = prompt.inputs["question"]
    what = "count(*)"
    if "together" in question or "spent" in question:
        what = "sum(price)"
    elif "highest" in question:
        what = "max(price)"
    conditions = [
        f"{column} = '{match[1]}'"
        for column, pattern in (("product", PRODUCT), ("city", CITY), ("name", NAME))
        if (match := pattern.search(question))
    ]
    if prompt.slips(0.5):
        conditions = conditions[:-1]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    joined = "orders JOIN customers ON orders.customer = customers.id"
    return {"sql": f"SELECT {what} FROM {joined}{where}"}
