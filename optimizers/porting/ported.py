"""What a port returns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog import Module
from langprog.artifact import save_program
from langprog.errors import InputError
from langprog.lm import Cost
from langprog.notebook import render_card, shorten
from optimizers.events import Message
from optimizers.porting.decision import Decision, Outcome
from optimizers.porting.sides import Side
from optimizers.report.compiled import Compiled
from optimizers.stats.certificate import Accept

PortedRow = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Ported:
    """The result of a port.

    Args:
        outcome: ``safe``: the program as it is was shown to lose no more than the tolerance on the
            new model; ``mended``: it was not, but the program that was compiled on the new model
            was; ``worse``: it loses; ``cannot tell``: neither was shown.
        reason: Why, in a sentence or two.
        program: The program on the new model: as it is, or compiled. Frozen and callable.
        tolerance: Mean score that may be lost.
        old: The old model's side.
        new: The program as it is on the new model; ``None`` if it was not run to the end.
        final: The compiled program; ``None`` if there is none.
        test: The test of the program as it is; ``None`` if it could not be made.
        final_test: The test of the compiled program.
        compiled: The compile, if there was one.
        refused: What the new endpoints refuse, in sentences.
        replaced: Names of the old models, with those of the new ones.
        rows: For each compared row, its salted digest and the scores on the old and the new model.
        evidence: What the artifact keeps beside that: metric, data, seed, knobs.
        paid: What was paid, over all sessions.
        requested: Distinct requests of the tests and of the compile, as if nothing had been
            cached; a request of both counts twice.
        notes: Messages, in order.
        accept: What may be saved.
    """

    outcome: Outcome
    reason: str
    program: Module
    tolerance: float
    old: Side | None = None
    new: Side | None = None
    final: Side | None = None
    test: Decision | None = None
    final_test: Decision | None = None
    compiled: Compiled | None = None
    refused: tuple[str, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[PortedRow] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    paid: Cost = Cost()
    requested: Cost = Cost()
    notes: tuple[Message, ...] = ()
    accept: Accept = "certified"

    @property
    def shown(self) -> bool:
        """Whether ``program`` was shown to lose no more than the tolerance."""
        return self.outcome in ("safe", "mended")

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the artifact of the program on the new model; its lineage names the old one.

        Returns:
            The artifact's digest; the same for a port that was killed and resumed.

        Raises:
            InputError: The program was not shown to be as good, and ``accept`` is not ``best``.
            ArtifactError: The program cannot be written.
        """
        if not self.shown and self.accept != "best":
            raise InputError(
                f"nothing to save: {self.reason}; accept='best' saves the program all the same, "
                "marked as not shown"
            )
        own = {} if self.compiled is None else self.compiled.report.evidence.to_json()
        evidence = {**self.evidence, **own, "port": self.describe()}
        return save_program(self.program, path, evidence=evidence, optimizer="port")

    def describe(self) -> dict[str, Any]:
        """Return what the artifact keeps; nothing in it depends on time or on caches."""
        test = self.final_test or self.test
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "tolerance": self.tolerance,
            "replaced": dict(self.replaced),
            "refused": list(self.refused),
            "as it is": _describe_test(self.test),
            "compiled": _describe_test(self.final_test),
            "level": None if test is None else test.level,
            "rows": [list(row) for row in self.rows],
        }

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object: what the artifact keeps, and cost and latency."""
        sides = {"old": self.old, "new": self.new, "final": self.final}
        listed = {name: None if side is None else side.to_json() for name, side in sides.items()}
        return {
            **self.describe(),
            **listed,
            "paid": self.paid.to_json(),
            "requested": self.requested.to_json(),
            "notes": [note.text for note in self.notes],
            "certificate": None if self.compiled is None else self.compiled.certificate.to_json(),
        }

    def facts(self) -> list[tuple[str, str]]:
        """Return the result as (name, text) pairs."""
        sides = (("old", self.old), ("new", self.new), ("compiled", self.final))
        facts = [(name, str(side)) for name, side in sides if side is not None]
        for name, test in (("as it is", self.test), ("once compiled", self.final_test)):
            if test is not None:
                facts.append((name, str(test)))
        facts += [("refused", text) for text in self.refused]
        if self.compiled is not None:
            facts.append(("compile", str(self.compiled.certificate)))
        return [*facts, ("paid", f"{self.paid.calls:,.0f} calls"), (self.outcome, self.reason)]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason}"

    def __repr__(self) -> str:
        lines = "".join(f"\n  {name}: {shorten(text, 200)}" for name, text in self.facts())
        return shorten(f"Ported({lines}\n)", 1500)

    def _repr_html_(self) -> str:
        return render_card(f"Ported: {self.outcome}", self.facts())


def _describe_test(test: Decision | None) -> dict[str, Any] | None:
    if test is None:
        return None
    claims = test.claims
    return {
        "not worse": test.holds,
        "p_value": claims.primary.p_value,
        "worse": claims.finding == "worse",
        "difference": claims.difference,
        "low": claims.low,
        "high": claims.high,
        "level": test.level,
        "n": claims.n,
        "wins": claims.wins,
        "losses": claims.losses,
        "ties": claims.ties,
        "missing": test.missing,
    }
