"""A served name: the artifact behind it, the one on trial, and swapping either under load."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from langprog.errors import ArtifactError, InputError, LangprogError
from langprog.evaluation import DatasetMetric, Metric, Range, exact, metric_name, range_of
from langprog.modules import Module
from langprog.serving.comparison import OnlineComparison
from langprog.serving.interface import Interface
from langprog.serving.kept_answers import Arm
from langprog.serving.metrics import Metrics
from langprog.serving.refusals import describe_cause
from langprog.serving.requests import canonical

# What the certificate in an artifact is summed up by.
_SUMMARY = ("verdict", "finding", "reason", "difference", "low", "high", "p_value", "n")
Loader = Callable[[Path], "Loaded"]


@dataclass(frozen=True)
class Loaded:
    """A program that was loaded from an artifact.

    Args:
        program: The program.
        digest: The artifact's digest.
        certificate: Its certificate, as stored; empty without one.
    """

    program: Module
    digest: str
    certificate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """A loaded artifact that answers requests; replaced as a whole, never changed.

    Args:
        path: Its file.
        loaded: What is in it.
        interface: What its program takes and returns.
    """

    path: Path
    loaded: Loaded
    interface: Interface

    @property
    def digest(self) -> str:
        """The artifact's digest."""
        return self.loaded.digest

    def to_json(self) -> dict[str, Any]:
        """Return what is said about it in the list of programs."""
        certificate = self.loaded.certificate
        summary = {name: certificate[name] for name in _SUMMARY if name in certificate}
        return {"digest": self.digest, "certificate": summary or None}


def _state_of(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced; empty if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino)


@dataclass(frozen=True)
class Call:
    """A request with the artifact that answers it, whatever is swapped meanwhile.

    Args:
        name: The program's name.
        role: Which of its artifacts.
        deployment: The artifact.
        data: The inputs as JSON data.
        inputs: The same in the types of the artifact's program.
        comparison: Where the outcome is counted; ``None`` without an artifact on trial.
        shadowed: Whether the other artifact is asked as well, for the comparison alone.
    """

    name: str
    role: Arm
    deployment: Deployment
    data: Any
    inputs: Mapping[str, Any]
    comparison: OnlineComparison | None
    shadowed: bool = False


@dataclass(frozen=True)
class Swap:
    """The outcome of looking at an artifact file again.

    Args:
        name: The program's name.
        role: Which of its artifacts.
        digest: The digest that is served now.
        before: The digest that was served before.
        refused: Why the new file is not served; empty if it is, or is the same.
    """

    name: str
    role: Arm
    digest: str
    before: str
    refused: str = ""

    @property
    def changed(self) -> bool:
        """Whether another artifact is served now."""
        return self.digest != self.before


@dataclass(frozen=True)
class Trial:
    """An artifact on trial beside the one that is served.

    Args:
        path: Its file.
        share: Share of the requests that it answers.
        shadow: Share of the requests that both artifacts are asked about, to compare them; one of
            them answers, as it would without.
        metric: Scores answers once a client says what was right.
        judge: A metric that needs no label; it scores all that both are asked about, at once.

    Raises:
        InputError: A share is not between 0 and 1, both are 0, nothing can be judged, or a metric
            scores whole data sets only.
    """

    path: Path
    share: float = 0.0
    shadow: float = 0.0
    metric: Metric = field(default_factory=exact)
    judge: Metric | None = None

    def __post_init__(self) -> None:
        for option, share in (("--canary", self.share), ("--shadow", self.shadow)):
            if not 0.0 <= share <= 1.0:
                raise InputError(f"{option}: the share must be above 0 and at most 1")
        if not self.share and not self.shadow:
            raise InputError("--canary: the share must be above 0 and at most 1")
        for option, metric in (("--metric", self.metric), ("--judge", self.judge)):
            if isinstance(metric, DatasetMetric):
                raise InputError(
                    f"{option}: {metric_name(metric)} scores a whole data set, and here single "
                    "answers are scored: choose another metric"
                )
        if self.judge is not None and not self.shadow:
            raise InputError(
                "--judge scores two answers to the same request: add --shadow FILE=SHARE, the "
                "share of the requests that both artifacts are asked about"
            )

    @property
    def score_range(self) -> Range:
        """The range of the scores that answers get."""
        return range_of(self.metric if self.judge is None else self.judge)


class Service:
    """A name under which programs are served.

    Args:
        name: The name, a part of the address.
        path: The artifact's file.
        loader: Loads an artifact.
        media_hosts: As for :class:`Interface`.
        trial: An artifact on trial.

    Raises:
        ArtifactError: An artifact cannot be loaded, or the two have different interfaces.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        loader: Loader,
        *,
        media_hosts: frozenset[str] = frozenset(),
        trial: Trial | None = None,
    ) -> None:
        self.name, self.trial = name, trial
        self._loader, self._hosts = loader, media_hosts
        self._states: dict[Arm, tuple[int, ...]] = {"stable": _state_of(path)}
        self.refused: dict[Arm, str] = {}
        self.deployments: dict[Arm, Deployment] = {"stable": self._load(path)}
        self._swapping = asyncio.Lock()
        if trial is not None:
            self._states["canary"] = _state_of(trial.path)
            self.deployments["canary"] = self._load(trial.path)
            self._check_same(self.canary, self.stable)
        self.comparison = self._new_comparison()

    def _load(self, path: Path) -> Deployment:
        loaded = self._loader(path)
        return Deployment(path, loaded, Interface(loaded.program, self._hosts))

    def _new_comparison(self) -> OnlineComparison:
        if self.trial is None:
            return OnlineComparison(paired=False)
        return OnlineComparison(paired=self.trial.shadow > 0, score_range=self.trial.score_range)

    def _check_same(self, new: Deployment, old: Deployment) -> None:
        if not new.interface.same_as(old.interface):
            raise ArtifactError(
                f"{new.path} takes or returns something else than what is served as "
                f"{self.name!r}, and clients rely on that: serve it under another name"
            )

    @property
    def stable(self) -> Deployment:
        """The artifact that is served."""
        return self.deployments["stable"]

    @property
    def canary(self) -> Deployment:
        """The artifact on trial; without one, the one that is served."""
        return self.deployments.get("canary", self.stable)

    def assign(self, data: Any, key: str | None) -> Call:
        """Return the call that answers a request; the same key gets the same artifact.

        Args:
            data: The request's JSON.
            key: The request's id; by default its inputs decide.

        Raises:
            Refusal: The data is not what the program takes.
        """
        if self.trial is None:
            return self.call("stable", data)
        key = key or canonical(data)
        role: Arm = "canary" if self._place_of(key) < self.trial.share else "stable"
        shadowed = self._place_of(f"shadow\n{key}") < self.trial.shadow
        return replace(self.call(role, data), shadowed=shadowed)

    def call(self, role: Arm, data: Any) -> Call:
        """Return a call of one of the artifacts, as they are now.

        Raises:
            Refusal: The data is not what the program takes.
        """
        deployment = self.deployments[role]
        inputs = deployment.interface.read(data)
        comparison = None if self.trial is None else self.comparison
        return Call(self.name, role, deployment, data, inputs, comparison)

    def _place_of(self, key: str) -> float:
        # Not of the digests: a key stays where it is when an artifact is replaced, and a larger
        # share keeps those of a smaller one.
        digest = hashlib.sha256(f"{self.name}\n{key}".encode("utf-8", "replace")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    async def reload(self, *, always: bool = True) -> list[Swap]:
        """Look at the artifact files again, and serve what is new in them.

        Requests under way are answered by the program that they started with. A file that cannot
        be served is refused, and the earlier artifact stays.

        Args:
            always: Whether to read files that look unchanged, too.
        """
        async with self._swapping:
            swaps = []
            for role, deployment in list(self.deployments.items()):
                state = await asyncio.to_thread(_state_of, deployment.path)
                if always or state != self._states[role]:
                    self._states[role] = state
                    swaps.append(await self._swap(role, deployment))
            return swaps

    async def _swap(self, role: Arm, old: Deployment) -> Swap:
        try:
            new = await asyncio.to_thread(self._load, old.path)
            self._check_same(new, old)
        except (LangprogError, ImportError, OSError) as error:
            self.refused[role] = describe_cause(error)
            return Swap(self.name, role, old.digest, old.digest, self.refused[role])
        self.refused.pop(role, None)
        if new.digest != old.digest:
            self.deployments[role] = new
            self.comparison = self._new_comparison()  # what was counted is about the earlier pair
        return Swap(self.name, role, new.digest, old.digest)

    def to_json(self) -> dict[str, Any]:
        """Return what is said about it in the list of programs."""
        about: dict[str, Any] = {"name": self.name, **self.stable.to_json()}
        about["refused"] = self.refused.get("stable")
        if self.trial is not None:
            about["canary"] = {
                **self.canary.to_json(),
                "share": self.trial.share,
                "shadow": self.trial.shadow,
                "refused": self.refused.get("canary"),
                "comparison": self.comparison.to_json(),
            }
        return about

    def publish(self, metrics: Metrics) -> None:
        """Set the gauges about what is served."""
        name, what = "langprog_served", "Artifacts in use; 1 for each."
        metrics.clear(name, program=self.name)
        for role, deployment in self.deployments.items():
            metrics.set(name, what, 1, program=self.name, role=role, digest=deployment.digest)
        if self.trial is not None:
            metrics.clear("langprog_comparison", program=self.name)
            for figure, value in self.comparison.figures():
                about = "Comparison of the artifact on trial with the one that is served."
                labels = {"program": self.name, "figure": figure}
                metrics.set("langprog_comparison", about, value, **labels)
