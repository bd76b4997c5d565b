"""Counts for Prometheus, in its text format."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping

# Upper ends of the latency histogram, in seconds: from a cached reply to a long chain of calls.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters, gauges and latencies of a server; used by its event loop alone."""

    def __init__(self) -> None:
        self._values: dict[str, dict[Labels, float]] = {}
        self._kinds: dict[str, tuple[str, str]] = {}
        self._latencies: dict[Labels, tuple[list[int], list[float]]] = {}

    def add(self, name: str, help: str, amount: float = 1, /, **labels: str) -> None:
        """Add to a counter."""
        self._kinds.setdefault(name, ("counter", help))
        values = self._values.setdefault(name, {})
        key = tuple(labels.items())
        values[key] = values.get(key, 0) + amount

    def set(self, name: str, help: str, amount: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._kinds.setdefault(name, ("gauge", help))
        self._values.setdefault(name, {})[tuple(labels.items())] = amount

    def clear(self, name: str, /, **labels: str) -> None:
        """Forget the values of a metric with these labels."""
        values, wanted = self._values.get(name, {}), set(labels.items())
        for key in [key for key in values if wanted <= set(key)]:
            del values[key]

    def forget(self, digest: str) -> None:
        """Forget an artifact that was replaced long ago, or each would stay in memory."""
        label = ("digest", digest)
        for values in self._values.values():
            for key in [key for key in values if label in key]:
                del values[key]
        for key in [key for key in self._latencies if label in key]:
            del self._latencies[key]

    def observe(self, seconds: float, /, **labels: str) -> None:
        """Count a latency."""
        key = tuple(labels.items())
        if key not in self._latencies:
            self._latencies[key] = ([0] * (len(BUCKETS) + 1), [0.0])
        counts, total = self._latencies[key]
        counts[bisect_left(BUCKETS, seconds)] += 1
        total[0] += seconds

    def value(self, name: str, /, **labels: str) -> float:
        """Return the sum of a metric over everything with these labels."""
        wanted = set(labels.items())
        values = self._values.get(name, {})
        return sum(value for key, value in values.items() if wanted <= set(key))

    def render(self) -> str:
        """Return everything in Prometheus' text format."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, (kind, help) in self._kinds.items():
            yield f"# HELP {name} {help}"
            yield f"# TYPE {name} {kind}"
            for key, value in self._values[name].items():
                yield f"{name}{_labels(dict(key))} {value:.12g}"
        name = "langprog_request_seconds"
        if self._latencies:
            yield f"# HELP {name} Seconds from a request to its answer."
            yield f"# TYPE {name} histogram"
        for key, (counts, total) in self._latencies.items():
            count = 0
            for end, inside in zip((*BUCKETS, "+Inf"), counts, strict=True):
                count += inside
                yield f"{name}_bucket{_labels({**dict(key), 'le': str(end)})} {count}"
            yield f"{name}_sum{_labels(dict(key))} {total[0]:.12g}"
            yield f"{name}_count{_labels(dict(key))} {count}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items()) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
