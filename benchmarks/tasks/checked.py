"""Public tasks whose outputs are checked by code, as no single answer is the right one.

What a check needs stands in fields of the row that the program does not get. Sources stand in
the SOURCE.md of the data's folder ``tasks``.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.tasks.constraints import IFEVAL, Check
from benchmarks.tasks.harder_constraints import IFBENCH

REDACTED = "[REDACTED]"


def ifeval(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Load IFEval: requests whose constraints code can check; without those of a language."""
    return _constrained(folder / "tasks" / "ifeval" / "input_data.jsonl", IFEVAL)


def ifbench(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Load IFBench: as IFEval with rarer constraints; only rows that ``IFBENCH`` can check."""
    return _constrained(folder / "tasks" / "ifbench" / "IFBench_test.jsonl", IFBENCH)


def _constrained(path: Path, checks: Mapping[str, Check]) -> Iterator[Mapping[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        names = row["instruction_id_list"]
        if not all(name in checks for name in names):
            continue
        given = [
            {key: value for key, value in options.items() if value is not None}
            for options in row["kwargs"]
        ]
        yield {
            "request": row["prompt"],
            "constraints": json.dumps([*zip(names, given, strict=True)]),
        }


def score_constraints(example: lp.Example, values: Mapping[str, Any]) -> lp.Score:
    """Score 1 where a response keeps every constraint of its request, else 0 and say which."""
    text = str(values.get("response") or "")
    broken = [
        name.partition(":")[2].replace("_", " ")
        for name, options in json.loads(example["constraints"])
        if not (text.strip() and IFBENCH[name](text, **options))
    ]
    return lp.Score(not broken, f"not kept: {', '.join(broken)}" if broken else None)


def pupa(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Load PUPA: requests of users, and what in them is private; to be redacted."""
    for name in ("PUPA_TNB", "PUPA_New"):
        text = lzma.open(folder / "tasks" / "pupa" / f"{name}.csv.xz").read().decode()
        for row in csv.DictReader(io.StringIO(text)):
            private = [unit for unit in row["pii_units"].split("||") if unit]
            if private:
                yield {
                    "request": row["user_query"],
                    "redacted": row["redacted_query"],
                    "private": json.dumps(private),
                }


def score_redaction(example: lp.Example, values: Mapping[str, Any]) -> lp.Score:
    """Score the share of what is private that is gone, times that of the other words that stay.

    Differs from PUPA's own score: what an assistant answers to the redacted request is not
    judged.
    """
    text = str(values.get("redacted") or "").lower()
    private = json.loads(example["private"])
    leaked = [unit for unit in private if re.search(rf"(?<!\w){re.escape(unit)}(?!\w)", text)]
    wanted = Counter(example["redacted"].replace(REDACTED, " ").lower().split())
    kept = sum((wanted & Counter(text.split())).values()) / max(1, wanted.total())
    value = (1 - len(leaked) / len(private)) * kept
    said = [f"still there: {', '.join(leaked)}"] if leaked else []
    if kept < 0.9:
        said.append(f"{1 - kept:.0%} of the other words are gone")
    return lp.Score(value, "; ".join(said) or None)


def score_accepted(example: lp.Example, values: Mapping[str, Any]) -> lp.Score:
    """Score 1 for any of the right results, whatever their case."""
    accepted = json.loads(example["accepted"])
    right = str(values.get("result") or "").strip().lower() in accepted
    return lp.Score(right, None if right else f"right: {', '.join(accepted)}")


def score_names(example: lp.Example, values: Mapping[str, Any]) -> lp.Score:
    """Score 1 for the right names in any order."""
    said = [name.strip().lower() for name in str(values.get("result") or "").split(",")]
    right = sorted(said) == sorted(name.strip() for name in example["result"].lower().split(","))
    return lp.Score(right, None if right else f"right: {example['result']}")
