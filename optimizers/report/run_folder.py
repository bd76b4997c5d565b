"""The folder of a compile: the report of one that ended, or how far another one is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.lm import Cost
from langprog.runtime import give_notice
from optimizers.journal import FILE, read_records
from optimizers.report.page import Json, select_decisions
from optimizers.report.report import CompileReport
from optimizers.report.summary import Section, describe_trials

# The report that a compile leaves in its folder when it ends.
REPORT = "report.json"
_PARTS = frozenset({"decisions", "evidence", "estimate", "notes", "paid", "prompts", "sessions"})


def keep_report(report: CompileReport, folder: Path) -> None:
    """Write the report of a compile that ended into its folder; a full disk loses nothing else."""
    try:
        report.save(folder / REPORT)
    except InputError as error:
        give_notice(f"the report is not in the run directory: {error}")


def read_report(path: Path) -> Json | None:
    """Return the report of a compile that was written as JSON; ``None`` if the file is none.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError:
        return None
    return data if isinstance(data, dict) and data.keys() >= _PARTS else None


def read_run(folder: Path) -> Json | list[Section]:
    """Return the report of a compile from its folder; sections where it has not ended.

    Raises:
        InputError: No compile has used the folder.
    """
    journal = folder / FILE
    if not journal.is_file():
        raise InputError(
            f"{str(folder)!r} has no {FILE}: name an artifact, or the run directory of a compile "
            "(--run-dir)"
        )
    records = list(read_records(journal))
    sessions = sum(record.get("kind") == "session" for record in records)
    path = folder / REPORT
    report = read_report(path) if path.is_file() else None
    if report is not None and report["sessions"] >= sessions:
        return report
    return list(_describe_progress(records, sessions))


def _describe_progress(records: list[dict[str, Any]], sessions: int) -> Iterator[Section]:
    header = next((each for each in records if each.get("kind") == "header"), {})
    paid = Cost()
    decisions: dict[int, dict[str, Any]] = {}
    for record in records:
        if record.get("kind") == "call" and record.get("paid"):
            completion = record.get("completion") or {}
            tokens = sum(completion.get("usage", [])[:2])
            paid += Cost(1, tokens, completion.get("dollars") or 0.0)
        elif record.get("kind") == "decision":
            decisions[record["number"]] = record
    started = "once" if sessions == 1 else f"{sessions} times"
    ended = any(each["what"].endswith("certificate") for each in decisions.values())
    state = "it has a certificate, and no report" if ended else "not ended"
    yield (
        "compile",
        [
            ("state", f"{state}; started {started}. The same command goes on where it is."),
            *((name, str(text)) for name, text in header.get("compile", {}).items()),
            ("paid", f"{paid.calls:,.0f} calls, {paid.tokens:,.0f} tokens, ${paid.dollars:.4f}"),
            ("decisions", f"{len(decisions):,}"),
        ],
    )
    trials = describe_trials(select_decisions(list(decisions.values()), "trial"))
    if trials:
        yield "trials", trials
