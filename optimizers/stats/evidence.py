"""How an artifact was made; the same for a killed and resumed run as for an uninterrupted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog.lm import Cost
from langprog.notebook import list_short
from optimizers.stats.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Evidence:
    """Metric, data, optimizer, certificate and spend of a compile.

    Args:
        optimizer: The optimizer's name.
        knobs: Its knobs.
        seed: The seed.
        metric: The metric's name.
        metric_digest: Digest of what the metric computes.
        data: Size and digest of every part.
        candidate: Digest of the best candidate, whether it ships or not.
        certificate: The result on the holdout.
        searched: Distinct requests of the search, cached or not; a round that the cap cut off is
            not counted, as how far it got is random.
        certified: The same for the certificate.
        rows: For each compared holdout example, its digest with the salt of the compile's record,
            the score before and the score after.
    """

    optimizer: str
    knobs: Mapping[str, Any]
    seed: int
    metric: str
    metric_digest: str
    data: Mapping[str, tuple[int, str]]
    candidate: str
    certificate: Certificate
    searched: Cost
    certified: Cost
    rows: Sequence[tuple[str, float, float]] = ()

    def __repr__(self) -> str:
        parts = [
            ("optimizer", self.optimizer),
            ("metric", self.metric),
            ("data", dict(self.data)),
            ("certificate", self.certificate),
        ]
        return f"Evidence({list_short(parts)})"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "optimizer": {"name": self.optimizer, "knobs": dict(self.knobs), "seed": self.seed},
            "metric": {"name": self.metric, "digest": self.metric_digest},
            "data": {
                part: {"examples": size, "digest": digest}
                for part, (size, digest) in self.data.items()
            },
            "candidate": self.candidate,
            "certificate": self.certificate.to_json(),
            "rows": [list(row) for row in self.rows],
            "spend": {
                "search": self.searched.to_json(),
                "certificate": self.certified.to_json(),
            },
        }
