"""What earlier compiles of a program have used: it stays out of a new holdout, or counts there.

What a compile chose by stays out. Examples of an earlier holdout may be examined once more, but
each further look at them is another attempt, tested at a lower level.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import langprog
from langprog import Example, Module
from langprog.artifact import AttemptData, CompileData
from langprog.evaluation import InputKeys, Use, UsedRows, salted_digest
from langprog.modules import origin_of
from optimizers.identity import program_digest
from optimizers.stats.attempts import Attempt, EarlierAttempt, Look
from optimizers.stats.certificate import Certificate


class Lineage:
    """The compiles that a program has been through.

    Args:
        program: The program that is to be compiled or examined.
    """

    def __init__(self, program: Module) -> None:
        self._compiles = UsedRows.of(program)

    def use_of(self, example: Example) -> Use | None:
        """Return what an example was used for: ``choosing`` if any compile chose by it."""
        uses = {each.use_of(example) for each in self._compiles}
        return "choosing" if "choosing" in uses else "holdout" if "holdout" in uses else None

    def attempts_on(self, holdout: Sequence[Example]) -> dict[str, EarlierAttempt]:
        """Return the attempts that used any example of a holdout, by their ids."""
        attempts: dict[str, EarlierAttempt] = {}
        for each in reversed(self._compiles):
            record = CompileData.model_validate(each.record)
            tried = record.attempt
            if tried is None or not any(each.use_of(row) == "holdout" for row in holdout):
                continue
            look = Look(record.salt, frozenset(tried.results.split()))
            id = Attempt(tried.candidate, tried.claim, tried.holdout).id
            attempts[id] = EarlierAttempt(tried.number, look)
        return attempts

    def describe_unrecognizable(self, examples: Iterable[Example]) -> list[str]:
        """Return a note if examples lack the inputs by which their earlier use would be seen."""
        if not self._compiles:
            return []
        present = {name for example in examples for name in example}
        missing = {name for each in self._compiles for name in each.keys.names} - present
        if not missing:
            return []
        return [
            "no example has the inputs with which the program was compiled before "
            f"({', '.join(sorted(missing))}): whether an earlier compile used it cannot be seen"
        ]


@dataclass(frozen=True, slots=True)
class CompileRows:
    """The rows that a compile used, and how they were told apart.

    Args:
        program: The input program.
        train: Examples for demonstrations and proposals.
        validation: Examples that guided the search.
        holdout: Examples that a claim was tested on; empty if none was.
    """

    program: Module
    train: Sequence[Example]
    validation: Sequence[Example]
    holdout: Sequence[Example] = ()

    @property
    def salt(self) -> str:
        """What is hashed with every row.

        It is made from the program and all rows, so that a compile that is run again writes the
        same artifact.
        """
        key = InputKeys(self.program).of_similar
        rows = [sorted(map(key, part)) for part in (self.train, self.validation, self.holdout)]
        text = json.dumps([program_digest(self.program), rows])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def record(
        self,
        optimizer: str,
        attempt: Attempt | None,
        certificate: Certificate,
        results: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the record of the compile, as it stands in an artifact.

        Args:
            optimizer: The optimizer's name.
            attempt: What was tried on the holdout; ``None`` if nothing was.
            certificate: What came of it.
            results: A text for every row that was scored, as for ``Attempts.settle``.
        """
        salt, origin = self.salt, origin_of(self.program)
        parts = (self.train, self.validation, self.holdout)
        present = {name for part in parts for example in part for name in example}
        names = [name for name in InputKeys(self.program).names if name in present]
        key = InputKeys(self.program, names).of_similar
        tried = None
        if attempt is not None:
            tried = AttemptData(
                candidate=attempt.candidate,
                claim=attempt.claim,
                holdout=attempt.holdout,
                number=certificate.attempt,
                level=certificate.level,
                verdict=certificate.verdict,
                results=" ".join(sorted(Look.of(salt, results).results)),
            )
        return CompileData(
            optimizer=optimizer,
            langprog=langprog.__version__,
            parent=None if origin is None else origin.digest,
            inputs=names,
            salt=salt,
            train=_join_digests(self.train, salt, key),
            validation=_join_digests(self.validation, salt, key),
            holdout=_join_digests(self.holdout, salt, key),
            attempt=tried,
        ).model_dump()


def _join_digests(examples: Sequence[Example], salt: str, key: Callable[[Example], str]) -> str:
    return " ".join(sorted({salted_digest(salt, key(example)) for example in examples}))
