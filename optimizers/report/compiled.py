"""What a compile returns."""

from __future__ import annotations

import os
from dataclasses import dataclass

from langprog import Module
from langprog.artifact import save_program
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import FrontPoint
from optimizers.report.report import CompileReport
from optimizers.stats.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Compiled:
    """A frozen program with the evidence for it.

    Args:
        program: What ships: the compiled program, or the input program where no gain could be
            detected. Frozen and callable.
        candidate: The best that was found, whether it ships or not.
        certificate: What the holdout says.
        report: How it came to be.
        front: Programs that nothing else beats in quality, price and latency, on validation; the
            best quality first. None of them but ``program`` has a certificate.
    """

    program: Module
    candidate: Candidate
    certificate: Certificate
    report: CompileReport
    front: tuple[FrontPoint, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the artifact: the program with its evidence.

        Returns:
            The artifact's digest; the same for a compile that was killed and resumed.

        Raises:
            ArtifactError: The program cannot be written, or does not come back the same.
        """
        evidence = self.report.evidence
        return save_program(
            self.program, path, evidence=evidence.to_json(), optimizer=evidence.optimizer
        )
