"""Pick, for every input, the step that is expected to be worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, LangprogError
from langprog.knobs import check_knobs, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef
from langprog.modules.around import SURVIVED, Around, checked_module
from langprog.modules.base import Module
from langprog.modules.cascade import on_model
from langprog.modules.node import AnyNode, Node, Types, listed_parts
from langprog.modules.prediction import Prediction
from langprog.modules.trace import TraceStep, recorder
from langprog.modules.tree import Parameter
from langprog.modules.words import dot, hashed_words


@dataclass(frozen=True, slots=True)
class Router:
    """What is known of every step on every kind of input, as plain data.

    Follows: Universal Model Routing for Efficient LLM Inference (Jitkrittum et al., 2025): inputs
    in clusters, a model is its error in each of them, so that a new one needs no training.
    Differs: clusters of hashed words instead of embeddings, so that it runs anywhere.

    Args:
        centers: Centers of the clusters, sparse: (place, weight) by place.
        buckets: Places that words are hashed to.
        quality: Mean score by cluster and step.
        cost: Mean dollars (or another unit) of an input by step.
        trade: Score that one unit of cost is worth.
    """

    centers: tuple[tuple[tuple[int, float], ...], ...]
    buckets: int = field(metadata=takes_whole(1))
    quality: tuple[tuple[float, ...], ...]
    cost: tuple[float, ...]
    trade: float = field(default=0.0, metadata=takes_number(0))

    def __post_init__(self) -> None:
        check_knobs(self)
        if not self.centers or len(self.quality) != len(self.centers):
            raise InputError("a Router needs clusters, and what is known of each of them")
        if any(len(row) != len(self.cost) for row in self.quality):
            raise InputError(f"a Router of {len(self.cost)} steps needs a score of each of them")

    def cluster(self, inputs: Mapping[str, Any]) -> int:
        """Return the cluster that inputs belong to: the center with the largest cosine."""
        words = hashed_words(inputs, self.buckets)
        near = [dot(words, center) for center in self.centers]
        return near.index(max(near))

    def ranked(self, inputs: Mapping[str, Any]) -> list[int]:
        """Return the steps, the one that is worth most first; of equals the first."""
        quality = self.quality[self.cluster(inputs)]
        worth = [q - self.trade * c for q, c in zip(quality, self.cost, strict=True)]
        return sorted(range(len(worth)), key=lambda step: -worth[step])

    def with_step(self, quality: Sequence[float], cost: float) -> Router:
        """Return a router that knows one step more.

        Args:
            quality: Its mean score in every cluster, on the inputs that stand for it.
            cost: Its mean cost.
        """
        if len(quality) != len(self.centers):
            raise InputError(f"there are {len(self.centers)} clusters, not {len(quality)}")
        rows = zip(self.quality, quality, strict=True)
        return replace(
            self,
            quality=tuple((*row, float(new)) for row, new in rows),
            cost=(*self.cost, float(cost)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "centers": [[list(one) for one in center] for center in self.centers],
            "buckets": self.buckets,
            "quality": [list(row) for row in self.quality],
            "cost": list(self.cost),
            "trade": self.trade,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Router:
        """Return a router from :meth:`to_json`.

        Raises:
            InputError: It is none.
        """
        try:
            return cls(
                tuple(
                    tuple((int(place), float(weight)) for place, weight in center)
                    for center in data["centers"]
                ),
                int(data["buckets"]),
                tuple(tuple(map(float, row)) for row in data["quality"]),
                tuple(map(float, data["cost"])),
                float(data["trade"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"this is no Router: {error}") from None


class RouteNode(Node):
    """Steps of which the input decides which one is asked.

    Args:
        module: Its kind.
        steps: The steps.
        router: What decides: clusters, and what is known of every step in them; null: the last
            step answers everything.
    """

    module: Literal["Route"]
    steps: list[AnyNode]
    router: dict[str, Any] | None


class Route(Around):
    """Ask one step, picked by the input.

    Until :class:`optimizers.ModelRouter` has found a router, the last step answers everything. A
    step that fails on an input hands it to the next best.

    Example::

        lp.Route.over(lp.Predict(Triage), ["pocket/small", "pocket/large"])

    Args:
        steps: Modules with the same inputs and outputs.
        router: What picks.

    Raises:
        InputError: Something of this is not as said.
    """

    node: ClassVar[type[Node]] = RouteNode
    steps: list[Module]
    router: Router | None

    def __init__(
        self, steps: Sequence[Module], *, router: Router | Mapping[str, Any] | None = None
    ) -> None:
        if isinstance(steps, Module) or not steps:
            raise InputError("a Route takes a list of one or more modules")
        self.steps = [checked_module(step, "a step of a Route") for step in steps]
        self.router = self._fitting(router)

    @classmethod
    def over(
        cls, program: Module, models: Sequence[str | ModelRef | LanguageModel], **options: Any
    ) -> Self:
        """Return a route between one program on several models.

        Args:
            program: Its predictors that name a model keep it.
            models: Models, or their names.
            **options: As for Route.

        Raises:
            InputError: No predictor of the program leaves its model open.
        """
        return cls([on_model(program, model) for model in models], **options)

    @property
    def inner(self) -> Module:
        """The first step."""
        return self.steps[0]

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the router, as plain data."""
        router = None if self.router is None else self.router.to_json()
        return {"router": Parameter("threshold", router)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with this router."""
        if values.keys() != {"router"}:
            raise InputError("a Route has only the parameter router")
        new = self.with_children(self.children())
        vars(new)["router"] = self._fitting(values["router"])
        return new

    def calls_per_example(self) -> int:
        """Return the calls of one step: of those that stand in for one another, one counts."""
        return max(step.calls_per_example() for step in self.steps)

    def alternative_steps(self) -> tuple[Module, ...]:
        """Return the steps."""
        return tuple(self.steps)

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        router = None if self.router is None else self.router.to_json()
        return {"module": "Route", "steps": listed_parts(parts, "steps"), "router": router}

    @classmethod
    def from_node(cls, node: RouteNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        return cls(listed_parts(parts, "steps"), router=node.router)

    def with_step(self, step: Module, quality: Sequence[float], cost: float) -> Self:
        """Return a copy with one step more, known from its results alone.

        Args:
            step: The new step.
            quality: Its mean score in every cluster of the router.
            cost: Its mean cost of an input.

        Raises:
            InputError: There is no router yet, or the scores are not one for every cluster.
        """
        if self.router is None:
            raise InputError("the Route has no router yet: optimizers.ModelRouter finds one")
        return type(self)([*self.steps, step], router=self.router.with_step(quality, cost))

    def _fitting(self, router: Router | Mapping[str, Any] | None) -> Router | None:
        if router is None:
            return None
        found = router if isinstance(router, Router) else Router.from_json(router)
        if len(found.cost) != len(self.steps):
            raise InputError(
                f"the router knows {len(found.cost)} steps, but the Route has {len(self.steps)}"
            )
        return found

    async def aforward(self, **inputs: Any) -> Prediction:
        """Ask the step that the router picks, and the next best where it fails."""
        last = len(self.steps) - 1
        order = [last] if self.router is None else self.router.ranked(inputs)
        failure: LangprogError | None = None
        for step in order:
            self._record(step, inputs)
            try:
                return await self.steps[step].acall(**inputs)
            except SURVIVED as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _record(self, step: int, inputs: Mapping[str, Any]) -> None:
        trace = recorder.get()
        if trace is not None and self.router is not None:
            path = trace.paths.get(id(self), "route")
            trace.add(TraceStep(path, inputs, {"step": step}, (), ()))

    def __repr__(self) -> str:
        return f"Route({self.steps!r})"
