"""The scores of a compiled program on its holdout, as its artifact keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langprog import Example
from langprog.artifact import Artifact
from langprog.evaluation import Metric, metric_name, range_of, salted_digest
from langprog.lm import Cost
from optimizers.identity import metric_digest

# Digits of a row's digest in artifacts that are older than salts.
DIGITS = 16


@dataclass(frozen=True)
class RecordedScores:
    """What an artifact says about rows that its program was tested on.

    The rows are those of its holdout, which no search saw. That the program was certified on
    them makes its score there somewhat too high, never too low: a program that is compared with
    it has a harder test.

    Args:
        scores: Scores by the digest of a row.
        salts: The salts of these digests; none for artifacts that have plain ones.
        cost: Cost of a query then; ``None`` if it was not kept.
        missing: Why there are none, if there are none.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    salts: tuple[str, ...] = ()
    cost: Cost | None = None
    missing: str = ""

    @classmethod
    def of(cls, artifact: Artifact, metric: Metric) -> RecordedScores:
        """Read the scores of an artifact.

        Args:
            artifact: The artifact.
            metric: The metric; scores by another one are of no use.
        """
        evidence = artifact.evidence
        if not evidence:
            return cls(missing="the artifact has no evidence")
        known = evidence.get("metric")
        digest = known.get("digest") if isinstance(known, Mapping) else None
        if digest != metric_digest(metric):
            name = known.get("name") if isinstance(known, Mapping) else None
            return cls(
                missing=f"the artifact's scores are by another metric ({str(name):.60}) or by "
                f"another version of {metric_name(metric)}"
            )
        scores = _read_scores(evidence, range_of(metric))
        if not scores:
            return cls(missing="the artifact has no scores of single rows")
        salts = dict.fromkeys(each.salt for each in artifact.data.compiles)
        return cls(scores, tuple(salts), _read_cost(evidence))

    def of_row(self, example: Example) -> float | None:
        """Return the score of a row; ``None`` if the artifact has none."""
        if not self.scores:
            return None
        digests = [salted_digest(salt, example.digest) for salt in self.salts]
        known = map(self.scores.get, digests or [example.digest[:DIGITS]])
        return next((score for score in known if score is not None), None)


def _read_scores(evidence: Mapping[str, Any], bounds: tuple[float, float]) -> dict[str, float]:
    """Return the scores of the program that shipped."""
    column = 1 if _ships_input(evidence) else 2
    scores: dict[str, float] = {}
    rows = [*_as_list(evidence.get("rows")), *_as_list(_ported(evidence).get("rows"))]
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 3 or not isinstance(row[0], str):
            continue
        value = row[column]
        known = isinstance(value, (int, float)) and not isinstance(value, bool)
        if known and bounds[0] <= value <= bounds[1]:
            scores.setdefault(row[0], float(value))
    return scores


def _read_cost(evidence: Mapping[str, Any]) -> Cost | None:
    certificate = evidence.get("certificate")
    if not isinstance(certificate, Mapping):
        return None
    cost = certificate.get("cost_before" if _ships_input(evidence) else "cost_after")
    if not isinstance(cost, Mapping):
        return None
    calls, tokens, dollars = (cost.get(name) for name in ("calls", "tokens", "dollars"))
    if not isinstance(calls, (int, float)) or not isinstance(tokens, (int, float)):
        return None
    priced = isinstance(dollars, (int, float))
    return Cost(calls, tokens, float(dollars or 0.0) if priced else 0.0, unpriced=int(not priced))


def _ships_input(evidence: Mapping[str, Any]) -> bool:
    certificate = evidence.get("certificate")
    return isinstance(certificate, Mapping) and certificate.get("verdict") == "original"


def _ported(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    ported = evidence.get("port")
    return ported if isinstance(ported, Mapping) else {}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
