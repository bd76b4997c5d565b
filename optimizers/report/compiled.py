"""What a compile returns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn

from langprog import Module
from langprog.artifact import save_program
from langprog.errors import InputError
from langprog.hints import Hinted, Words
from langprog.modules import Out_co
from langprog.notebook import render_card, short_repr, shorten
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import FrontPoint
from optimizers.report.report import CompileReport
from optimizers.stats.certificate import Certificate

_PROGRAM = "write compiled.program.{}"
# What other libraries have on a compiled program, and where it is here.
_ELSEWHERE: Words = MappingProxyType(
    {
        **{
            name: _PROGRAM.format(name)
            for name in (*("acall", "astream", "parameters", "predictors"), "stream")
        },
        "batch": "write lp.parallel(compiled.program, rows, width=...)",
        "candidate_programs": "write compiled.front, with quality, price and latency of each",
        "demos": "write compiled.program.predictors()[path].demos",
        "detailed_results": "write compiled.report",
        "load": "write lp.load(path), which returns the program",
        "named_predictors": "write compiled.program.predictors().items()",
        "score": "write compiled.certificate.after.mean",
        "trial_logs": "write compiled.report.trials",
    }
)


@dataclass(frozen=True, slots=True)
class Compiled(Hinted, Generic[Out_co]):
    """The result of a compile: a frozen program with its evidence.

    Args:
        program: The program that ships: the compiled program, or the input program if no gain
            could be detected. Frozen and callable.
        candidate: The best candidate, whether it ships or not.
        certificate: The result on the holdout.
        report: The record of the compile.
        front: The Pareto front of quality, price and latency on validation, best quality first.
            Only ``program`` has a certificate.
        canaries: Rows with recorded replies, for :func:`langprog.verify`; empty if none were asked
            for.
    """

    _elsewhere: ClassVar[Words] = _ELSEWHERE

    program: Module[Out_co]
    candidate: Candidate
    certificate: Certificate
    report: CompileReport
    front: tuple[FrontPoint, ...] = ()
    canaries: tuple[Mapping[str, Any], ...] = ()

    if not TYPE_CHECKING:  # type checkers refuse the call by themselves

        def __call__(self, *args: Any, **inputs: Any) -> NoReturn:
            """Say what is called; what a compile returns elsewhere is the program."""
            raise InputError(
                "a compile returns the program with its evidence: call compiled.program(...)"
            )

    def __repr__(self) -> str:
        parts = (
            str(self.certificate),
            f"program: {short_repr(self.program, 400)}",
            f"best candidate: {shorten(self.candidate.label, 200)}",
            f"Pareto front: {len(self.front)}",
            f"paid: {self.report.paid.calls:,.0f} calls",
        )
        return shorten(f"Compiled({''.join(f'{chr(10)}  {part}' for part in parts)}\n)", 1500)

    def _repr_html_(self) -> str:
        front = [
            (
                shorten(point.candidate.label, 120),
                str(point.quality),
                f"{point.dollars_a_thousand:.4f}",
                f"{point.latency[0]:.2f} s",
            )
            for point in self.front[:10]
        ]
        return render_card(
            f"Compiled: {self.certificate.verdict}",
            [
                ("program", self.program),
                *self.certificate.facts(),
                ("candidate", self.candidate.label),
            ],
            heads=("front", "quality on validation", "dollars per 1,000", "median latency"),
            rows=front,
            note="compiled.report.save('report.html') writes the whole report",
        )

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the artifact: the program with its evidence.

        Returns:
            The artifact's digest; the same for a compile that was killed and resumed.

        Raises:
            ArtifactError: The program cannot be written, or loads differently.
        """
        evidence = self.report.evidence
        return save_program(
            self.program,
            path,
            evidence=evidence.to_json(),
            canary=self.canaries,
            optimizer=evidence.optimizer,
        )
