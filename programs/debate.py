"""Let several agents answer, read one another, and answer again; the majority counts.

Follows: Improving Factuality and Reasoning in Language Models through Multiagent Debate (Du et
al., 2023). Differs: a debate ends as soon as all agree; rounds are a parameter that a compile may
set, also to 0, which is a vote; the agents are predictors with a sampling seed of their own, so
that they may differ in instruction, demonstrations and model as well. The puzzles are generated.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import langprog as lp
from langprog.errors import InputError

AGENTS = 3
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")


class Argue(lp.Signature):
    """Solve the puzzle. Weigh what the others say, and trust no one of them without a reason."""

    puzzle: str = lp.Input()
    others: list[str] = lp.Input("what other agents have answered so far, with their reasons")
    reason: str = lp.Output("why, in a sentence")
    answer: str = lp.Output("one name")


class Debate(lp.Module):
    """Debates a puzzle.

    Args:
        agents: How many agents.
        rounds: How often each may revise its answer.

    Raises:
        InputError: There is no agent.
    """

    signature = "puzzle -> answer"

    def __init__(self, agents: int = AGENTS, rounds: int = 1) -> None:
        if agents < 1:
            raise InputError(f"Debate(agents={agents}): give 1 or more")
        self.agents = [
            lp.Predict(Argue, sampling=lp.Sampling(temperature=0.7, seed=seed))
            for seed in range(agents)
        ]
        self.rounds = rounds

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return the number of rounds."""
        return {"rounds": lp.Parameter("choice", self.rounds)}

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return numbers of rounds."""
        return {"rounds": [0, 1, 2]}

    def calls_per_example(self) -> int:
        """Return the calls where the agents never agree."""
        return len(self.agents) * (1 + self.rounds)

    @property
    def retries(self) -> bool:
        """Whether a later call of an agent replaces an earlier one."""
        return True

    async def aforward(self, puzzle: str) -> Mapping[str, str]:
        """Ask all agents, again while they disagree."""
        said: list[lp.Prediction] = await self._ask(puzzle, [[] for _ in self.agents])
        for _ in range(self.rounds):
            if len({_key(each.answer) for each in said}) == 1:
                break
            told = [f"{each.answer}: {each.reason}" for each in said]
            said = await self._ask(puzzle, [told[:at] + told[at + 1 :] for at in range(len(said))])
        counts = Counter(_key(each.answer) for each in said)
        best = max(counts, key=counts.__getitem__)  # of equals, the first agent's
        return {"answer": next(each.answer for each in said if _key(each.answer) == best)}

    async def _ask(self, puzzle: str, others: Sequence[list[str]]) -> list[lp.Prediction]:
        calls = [
            agent.acall(puzzle=puzzle, others=told)
            for agent, told in zip(self.agents, others, strict=True)
        ]
        return list(await asyncio.gather(*calls))


program = Debate()


def _key(answer: str) -> str:
    return answer.strip().strip(".").casefold()


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right name."""
    right = _key(prediction.answer) == _key(example.answer)
    return lp.Score(float(right), None if right else f"it is {example.answer}")


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different puzzles about who is the oldest or the youngest.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"debate/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        order = rng.sample(NAMES, rng.randint(3, 5))  # from the oldest
        facts = [
            f"{older} is older than {younger}."
            if rng.random() < 0.5
            else f"{younger} is younger than {older}."
            for older, younger in zip(order, order[1:], strict=False)
        ]
        rng.shuffle(facts)
        asked, answer = rng.choice((("oldest", order[0]), ("youngest", order[-1])))
        puzzle = f"{' '.join(facts)} Who is the {asked}?"
        rows.setdefault(puzzle, lp.Example(puzzle=puzzle, answer=answer))
    return list(rows.values())
