"""The test whether new runs are exchangeable with recorded ones, per module and end to end."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog.evaluation import BettingWealth, ConformalRanks
from langprog.verification.distance import reply_distance
from langprog.verification.runs import Run

END = "end to end"
# New replies to one canary; beyond them, old ones say little.
MOST_RUNS = 28


@dataclass(frozen=True, slots=True)
class ChangedReply:
    """A new reply that none of the recorded ones equals.

    Args:
        stream: The module's path, or ``end to end``.
        canary: The number of the canary, from 1.
        before: The recorded replies, most frequent first, with their counts.
        after: The new reply.
        p: Its p-value.
    """

    stream: str
    canary: int
    before: tuple[tuple[str, int], ...]
    after: str
    p: float


@dataclass(frozen=True, slots=True)
class StreamResult:
    """The test of a module, or of the program as a whole.

    Args:
        name: The module's path, or ``end to end``.
        replies: New replies that were compared.
        unknown: New replies to prompts that are not on record.
        wealth: The wealth now.
        peak: The highest wealth so far.
        drifted: Whether it reached the threshold.
    """

    name: str
    replies: int
    unknown: int
    wealth: float
    peak: float
    drifted: bool


class DriftTest:
    """Tests whether new runs of canaries are like the recorded ones.

    Per module, replies to the same prompt in the same canary are compared; if a program has one
    module, its outputs end to end stand for it. Each module is tested at the same share of
    ``alpha``.

    Follows: see :class:`langprog.evaluation.ConformalRanks` and ``BettingWealth``.
    Differs: replies are compared per canary, and all canaries of a module share one wealth.

    Args:
        canaries: Rows with ``runs``, as :func:`langprog.verification.record_canaries` returns.
        alpha: The chance of an alarm without a change, over all looks.
        seed: Breaks ties; the artifact's digest, so that the same replies give the same result.
    """

    def __init__(
        self, canaries: Sequence[Mapping[str, Any]], alpha: float = 0.05, seed: str = ""
    ) -> None:
        self._seed = seed
        self._known: dict[tuple[str, int, str], ConformalRanks[str]] = {}
        recorded: dict[tuple[str, int, str], list[str]] = {}
        for index, canary in enumerate(canaries):
            for run in canary["runs"]:
                for stream, prompt, reply in _replies_of(run):
                    recorded.setdefault((stream, index, prompt), []).append(reply)
        paths = dict.fromkeys(stream for stream, _, _ in recorded if stream != END)
        names = [END, *paths] if len(paths) > 1 else [END]
        self._before = {key: Counter(replies) for key, replies in recorded.items()}
        self._known = {
            key: ConformalRanks(replies, reply_distance) for key, replies in recorded.items()
        }
        self._wealth = {name: BettingWealth() for name in names}
        self._unknown = Counter[str]()
        self._changes: list[ChangedReply] = []
        self.threshold = len(names) / alpha
        self.replies = min(len(canary["runs"]) for canary in canaries)
        self.runs = 0

    @property
    def results(self) -> tuple[StreamResult, ...]:
        """The result of each module, and end to end."""
        return tuple(
            StreamResult(
                name, wealth.bets, self._unknown[name], wealth.wealth, wealth.peak,
                wealth.peak >= self.threshold,
            )
            for name, wealth in self._wealth.items()
        )  # fmt: skip

    @property
    def drifted(self) -> bool:
        """Whether a change was found."""
        return any(wealth.peak >= self.threshold for wealth in self._wealth.values())

    @property
    def changes(self) -> tuple[ChangedReply, ...]:
        """New replies unlike all recorded ones, in streams that drifted; strangest first."""
        drifted = {result.name for result in self.results if result.drifted}
        seen = [change for change in self._changes if change.stream in drifted]
        return tuple(sorted(seen, key=lambda change: change.p))

    def add(self, canary: int, run: Run) -> None:
        """Compare a new run.

        Args:
            canary: The number of its canary, from 0.
            run: The run.
        """
        self.runs += 1
        for stream, prompt, reply in _replies_of(run):
            wealth = self._wealth.get(stream)
            if wealth is None:
                continue
            key = (stream, canary, prompt)
            known = self._known.get(key)
            if known is None:
                self._unknown[stream] += 1
                continue
            draw = random.Random(f"{self._seed} {key} {known.counts.total()}").random()
            p = known.add(reply, draw)
            wealth.bet(p)
            if reply not in self._before[key]:
                before = tuple(self._before[key].most_common())
                self._changes.append(ChangedReply(stream, canary + 1, before, reply, p))


def _replies_of(run: Run) -> list[tuple[str, str, str]]:
    steps = [(path, prompt, reply) for path, prompt, reply in run["steps"]]
    return [(END, "", run["end"]), *steps]


def show_reply(reply: str) -> str:
    """Return a reply in words."""
    data = json.loads(reply)
    if "failure" in data:
        return f"failed ({data['failure']})"
    return ", ".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in data["outputs"].items()
    )
