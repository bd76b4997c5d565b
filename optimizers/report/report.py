"""The record of a compile: trials, notes, spend, prompts; as JSON or as a web page."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langprog import Module
from langprog.errors import InputError
from langprog.evaluation import Row, redact, salted_digest
from langprog.lm import Cost, model_name
from langprog.notebook import render_card, shorten
from langprog.runtime import current
from optimizers.evaluation.candidate import Candidate, parameter_to_json
from optimizers.evaluation.prompts import PromptSize
from optimizers.evaluation.scoring import FailureCount
from optimizers.evaluation.wording import value_text
from optimizers.events import Message
from optimizers.report.page import describe_share, describe_size, render_page
from optimizers.report.picture import render_picture
from optimizers.stats.evidence import Evidence

Prompts = Mapping[str, Mapping[str, Any]]


def _format_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True)
class CompileReport:
    """The record of a compile.

    Args:
        evidence: The artifact's evidence; the only part that is the same for every run.
        candidate: The best candidate, whether it ships or not.
        notes: Warnings and other messages, in order.
        decisions: The journal's decisions: trials, refusals, rounds.
        paid: What was paid, over all sessions of the compile.
        requested: Distinct requests, as if nothing had been cached.
        sessions: How often the compile was started.
        diverged_at: First decision of a resumed run that differs from the run before it (the
            metric or the program is random, or the budget grew); ``None`` if there is none.
        prompts: What makes the prompts of every predictor, before and after.
        estimate: The forecast of the compile, as returned by ``Preflight.to_json()``.
        rows: The holdout's rows, before and after. They are data, so artifacts leave them out.
        program: The input program, in one line.
        failures: Runs of the program that failed, counted by kind, with the first message of each.
        date: When the compile ended, in UTC.
        texts: The texts that a user's own modules declare, by key, before and after.
    """

    evidence: Evidence
    candidate: Candidate
    notes: tuple[Message, ...]
    decisions: tuple[Mapping[str, Any], ...]
    paid: Cost
    requested: Cost
    sessions: int
    diverged_at: int | None
    prompts: tuple[Prompts, Prompts]
    estimate: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    program: str
    failures: tuple[FailureCount, ...] = ()
    date: str = field(default_factory=_format_now)
    texts: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})

    @property
    def trials(self) -> tuple[Mapping[str, Any], ...]:
        """Candidates with their scores, in the order in which they were tried."""
        return tuple(each["data"] for each in self.decisions if each["what"].endswith("trial"))

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong with the structure of the input program, and what mending it gained."""
        faults = (each["data"] for each in self.decisions if each["what"].endswith("fault"))
        return tuple(each["text"] for each in faults)

    @property
    def shares(self) -> tuple[Mapping[str, Any], ...]:
        """What each change contributes to the score on validation, and whether it was kept.

        ``mean`` is the score with the change minus the one without it on the same ``n`` rows,
        ``low`` and ``high`` are its 95 % interval. Empty where nothing was pruned.
        """
        return tuple(each["data"] for each in self.decisions if each["what"].endswith("share"))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        before, after = self.prompts
        return {
            "program": self.program,
            "date": self.date,
            "evidence": self.evidence.to_json(),
            "candidate": {
                "digest": self.candidate.digest,
                "label": self.candidate.label,
                "parameters": self.candidate.to_json(),
            },
            "notes": [{"text": note.text, "warning": note.warning} for note in self.notes],
            "decisions": [dict(decision) for decision in self.decisions],
            "paid": self.paid.to_json(),
            "requested": self.requested.to_json(),
            "sessions": self.sessions,
            "diverged_at": self.diverged_at,
            "prompts": {"before": before, "after": after},
            "texts": {"before": dict(self.texts[0]), "after": dict(self.texts[1])},
            "estimate": dict(self.estimate),
            "failures": [asdict(failure) for failure in self.failures],
            "rows": [dict(row) for row in self.rows],
        }

    def facts(self) -> list[tuple[str, str]]:
        """Return what was compiled and the outcome, as (name, text) pairs."""
        evidence = self.evidence
        data = ", ".join(f"{size:,} {part}" for part, (size, _) in evidence.data.items())
        dollars = self.paid.known_dollars
        price = "" if dollars is None else f", ${dollars:.4f}"
        failed = [f"{each.count:,} {each.kind}" for each in self.failures]
        requested = f"{self.requested.calls:,.0f} requested"
        facts = [
            ("program", self.program),
            ("optimizer", f"{evidence.optimizer}, seed {evidence.seed}"),
            ("metric", evidence.metric),
            ("data", data),
            ("date", self.date),
            ("paid", f"{self.paid.calls:,.0f} calls{price} ({requested})"),
            ("trials", str(len(self.trials))),
            ("failed runs", ", ".join(failed) or "none"),
        ]
        for path, after in self.prompts[1].items():
            facts.append((f"prompt of {path}", _compare_sizes(self.prompts[0][path], after)))
        facts += [("at fault", text) for text in self.faults]
        facts += [("part", describe_share(share)) for share in self.shares]
        return facts + [("warning", note.text) for note in self.notes if note.warning]

    def __repr__(self) -> str:
        lines = "".join(f"\n  {name}: {shorten(text, 150)}" for name, text in self.facts())
        return shorten(f"CompileReport({lines}\n)", 1500)

    def _repr_html_(self) -> str:
        return render_card(
            "Compile report", self.facts(), note="report.save('report.html') writes all of it"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report: a page for ``.html`` or ``.htm``, a picture for ``.svg``, else JSON.

        Raises:
            InputError: The file cannot be written.
        """
        target = Path(path)
        data = self.to_json()
        if target.suffix in (".html", ".htm"):
            text = render_page(data)
        elif target.suffix == ".svg":
            text = render_picture(data)
        else:
            text = json.dumps(data, indent=2)
        try:
            _write(target, text + "\n")
        except OSError as error:
            raise InputError(f"{str(target)!r} cannot be written: {error.strerror}") from error


def collect_prompts(program: Module, sizes: Mapping[str, PromptSize]) -> dict[str, dict[str, Any]]:
    """Return what makes the prompts of every predictor, by path.

    A predictor without its own model uses the ambient one.

    Args:
        program: The program.
        sizes: Its average prompts, by path.
    """
    ambient = current().lm
    return {
        path: {
            "instruction": predictor.signature.instruction,
            "demos": parameter_to_json(predictor.demos),
            "nearest": parameter_to_json(predictor.nearest),
            "checks": [str(check) for check in predictor.checks],
            "model": model_name(predictor.model or ambient),
            "outputs": list(predictor.signature.outputs),
            "adapter": predictor.adapter_in_force().name,
            "tokens": round(sizes[path].tokens) if path in sizes else None,
            "shared_tokens": round(sizes[path].shared) if path in sizes else None,
        }
        for path, predictor in program.predictors().items()
    }


def _compare_sizes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    sizes = dict.fromkeys(describe_size(each) for each in (before, after))
    return " -> ".join(sizes)


def list_compared_rows(
    inputs: Sequence[str], pairs: Iterable[tuple[Row, Row]]
) -> list[dict[str, Any]]:
    """Return each holdout example with its outputs and scores before and after.

    Args:
        inputs: Names of the program's inputs.
        pairs: Rows before and after.
    """
    return [
        {
            "inputs": _texts({k: v for k, v in before.example.items() if k in inputs}),
            "wanted": _texts({k: v for k, v in before.example.items() if k not in inputs}),
            "before": _describe_outcome(before),
            "after": _describe_outcome(after),
        }
        for before, after in pairs
    ]


def digest_rows(pairs: Iterable[tuple[Row, Row]], salt: str) -> list[tuple[str, float, float]]:
    """Return each holdout example by its salted digest, with its scores before and after."""
    return [
        (salted_digest(salt, before.example.digest), before.score.value, after.score.value)
        for before, after in pairs
        if before.score is not None and after.score is not None
    ]


def _describe_outcome(row: Row) -> dict[str, Any]:
    outputs: Mapping[str, Any] = {} if row.prediction is None else dict(row.prediction.items())
    if row.failure is not None:
        outputs = {row.failure.kind: row.failure.message}
    return {"outputs": _texts(outputs), "score": None if row.score is None else row.score.value}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: redact(value_text(value)) for name, value in values.items()}


def _write(path: Path, text: str) -> None:
    # Write a temporary file and move it, so that a reader never sees half a report.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
