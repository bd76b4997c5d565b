"""Pick the step for each input by its expected quality and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, LangprogError
from langprog.hints import with_hints
from langprog.knobs import check_knobs, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef
from langprog.modules.around import SURVIVED, Around, check_module
from langprog.modules.base import Module
from langprog.modules.cascade import on_model
from langprog.modules.node import AnyNode, Node, Types, parts_of_list
from langprog.modules.prediction import Prediction
from langprog.modules.trace import TraceStep, recorder
from langprog.modules.tree import Parameter
from langprog.modules.words import dot, hash_words
from langprog.notebook import shorten


@dataclass(frozen=True, slots=True)
class Router:
    """The expected quality and cost of every step on every kind of input, as plain data.

    Follows: Universal Model Routing for Efficient LLM Inference (Jitkrittum et al., 2025): inputs
    fall into clusters, and a model is described by its error in each, so that a new one needs no
    training.
    Differs: clusters of hashed words instead of embeddings, so that it runs anywhere.

    Args:
        centers: Sparse cluster centers: (index, weight), by index.
        buckets: Size of the hash space for words.
        quality: Mean score by cluster and step.
        cost: Mean dollars (or another unit) per input, by step.
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
            raise InputError("a Router needs at least one cluster, and scores for each of them")
        if any(len(row) != len(self.cost) for row in self.quality):
            raise InputError(f"a Router of {len(self.cost)} steps needs a score for each of them")

    def cluster(self, inputs: Mapping[str, Any]) -> int:
        """Return the cluster of some inputs: the one whose center has the largest cosine."""
        words = hash_words(inputs, self.buckets)
        near = [dot(words, center) for center in self.centers]
        return near.index(max(near))

    def rank(self, inputs: Mapping[str, Any]) -> list[int]:
        """Return the steps by expected worth, best first; ties keep their order."""
        quality = self.quality[self.cluster(inputs)]
        worth = [q - self.trade * c for q, c in zip(quality, self.cost, strict=True)]
        return sorted(range(len(worth)), key=lambda step: -worth[step])

    def with_step(self, quality: Sequence[float], cost: float) -> Router:
        """Return a router with one more step.

        Args:
            quality: The step's mean score on each cluster's inputs.
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
            "centers": [[list(entry) for entry in center] for center in self.centers],
            "buckets": self.buckets,
            "quality": [list(row) for row in self.quality],
            "cost": list(self.cost),
            "trade": self.trade,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Router:
        """Return a router from :meth:`to_json`.

        Raises:
            InputError: The data is invalid.
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
            raise InputError(f"this is not a Router: {error}") from None


class RouteNode(Node):
    """Steps, one of which is chosen for each input.

    Args:
        module: Its kind.
        steps: The steps.
        router: Clusters, and the quality and cost of every step in them; null to always use the
            last step.
    """

    module: Literal["Route"]
    steps: list[AnyNode]
    router: dict[str, Any] | None


class Route(Around):
    """Run one step, chosen by the input.

    Until :class:`optimizers.ModelRouter` has found a router, the last step is always used. If a
    step fails on an input, the next best runs.

    Example::

        lp.Route.over(lp.Predict(Triage), ["pocket/small", "pocket/large"])

    Args:
        steps: Modules with the same inputs and outputs.
        router: The router that picks a step.

    Raises:
        InputError: An argument is invalid.
    """

    node: ClassVar[type[Node]] = RouteNode
    steps: list[Module]
    router: Router | None

    @with_hints({})
    def __init__(
        self, steps: Sequence[Module], *, router: Router | Mapping[str, Any] | None = None
    ) -> None:
        if isinstance(steps, Module) or not steps:
            raise InputError("a Route takes a list of one or more modules")
        self.steps = [check_module(step, "a step of a Route") for step in steps]
        self.router = self._check_router(router)

    @classmethod
    def over(
        cls, program: Module, models: Sequence[str | ModelRef | LanguageModel], **options: Any
    ) -> Self:
        """Return a route between one program on several models.

        Args:
            program: The program; its predictors that name a model keep it.
            models: Models, or their names.
            **options: As for Route.

        Raises:
            InputError: Every predictor of the program already names a model.
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
        vars(new)["router"] = self._check_router(values["router"])
        return new

    def calls_per_example(self) -> int:
        """Return the calls of the most expensive step: steps are alternatives."""
        return max(step.calls_per_example() for step in self.steps)

    def alternative_steps(self) -> tuple[Module, ...]:
        """Return the steps."""
        return tuple(self.steps)

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        router = None if self.router is None else self.router.to_json()
        return {"module": "Route", "steps": parts_of_list(parts, "steps"), "router": router}

    @classmethod
    def from_node(cls, node: RouteNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        return cls(parts_of_list(parts, "steps"), router=node.router)

    def with_step(self, step: Module, quality: Sequence[float], cost: float) -> Self:
        """Return a copy with one more step, described by its results.

        Args:
            step: The new step.
            quality: Its mean score in every cluster of the router.
            cost: Its mean cost per input.

        Raises:
            InputError: There is no router yet, or not exactly one score per cluster.
        """
        if self.router is None:
            raise InputError("the Route has no router yet: optimizers.ModelRouter finds one")
        return type(self)([*self.steps, step], router=self.router.with_step(quality, cost))

    def _check_router(self, router: Router | Mapping[str, Any] | None) -> Router | None:
        if router is None:
            return None
        known = router if isinstance(router, Router) else Router.from_json(router)
        if len(known.cost) != len(self.steps):
            raise InputError(
                f"the router knows {len(known.cost)} steps, but the Route has {len(self.steps)}"
            )
        return known

    async def aforward(self, **inputs: Any) -> Prediction:
        """Run the step that the router picks, and the next best if it fails."""
        last = len(self.steps) - 1
        order = [last] if self.router is None else self.router.rank(inputs)
        failure: LangprogError | None = None
        for step in order:
            self._record(step, inputs)
            try:
                answer: Prediction = await self.steps[step].acall(**inputs)
                return answer
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
        return shorten(f"Route({self.steps!r})")
