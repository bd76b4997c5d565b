"""What the endpoints of a compile take, found out before its first paid stage.

A compile samples: its proposer, its votes, its probes set a temperature and a seed. One short
request to every remote model says which of that, and of what the program's signals need, the
endpoint refuses. The journal keeps it, so that a resumed compile goes on in the same way and pays
for no second answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from langprog import Example, Module
from langprog.adapters import AUTO, adapter_named, conforms
from langprog.errors import (
    BadRequestError,
    BudgetExceeded,
    ContentFilterError,
    ContextWindowError,
    InputError,
    TransportError,
)
from langprog.lm import (
    Completion,
    LanguageModel,
    Message,
    ModelRef,
    Negotiated,
    Recorded,
    Request,
    Sampling,
    Setting,
    capabilities_of,
    dialect_of,
    model_from,
)
from langprog.modules import Signal
from langprog.runtime import current, model_named
from langprog.signature import SignatureSpec
from optimizers.events import Reporter
from optimizers.journal import Journal

# Asked where no predictor can be shown an example as it is.
QUESTION = (Message("system", "Reply with one word."), Message("user", "Ready?"))
SETTINGS = Sampling(temperature=0.7, max_tokens=512, seed=1)
# The endpoint cannot be asked now, or not so; what is asked later will say why.
_UNKNOWN = (TransportError, BadRequestError, ContextWindowError, ContentFilterError)


class Dialects:
    """The dialects of a compile's models, while it runs; a context manager.

    Inside it starts from what the journal knows, writes down what is learned, and says it.

    Args:
        models: Every model that the compile may ask.
        journal: Keeps what is learned.
        reporter: Says it.
    """

    def __init__(
        self, models: Iterable[LanguageModel], journal: Journal, reporter: Reporter
    ) -> None:
        given = list(models)
        layers = (dialect_of(model) for model in given)
        self._layers = tuple({id(layer): layer for layer in layers if layer is not None}.values())
        self._declared = {
            (model.name, model.endpoint): capabilities_of(model).schema for model in given
        }
        self._journal = journal
        self._reporter = reporter
        self._asked: set[int] = set()
        self.schemas: dict[tuple[str, str], bool] = {}
        self._learning = [partial(self._learn, layer) for layer in self._layers]

    def __enter__(self) -> Dialects:
        for layer, learn in zip(self._layers, self._learning, strict=True):
            layer.refuse(self._journal.refused(_key(layer)))
            layer.subscribe(learn)
        return self

    def __exit__(self, *error: object) -> None:
        for layer, learn in zip(self._layers, self._learning, strict=True):
            layer.unsubscribe(learn)

    def _learn(self, layer: Negotiated, refused: frozenset[Setting]) -> None:
        if id(layer) not in self._asked:  # else it is said and kept once all is known
            new = refused - self._journal.refused(_key(layer))
            self._journal.learn(_key(layer), refused)
            self._say(layer, new)

    def _say(self, layer: Negotiated, refused: frozenset[Setting]) -> None:
        if refused:
            settings = ", ".join(sorted(refused))
            self._reporter.note(f"{layer.name} takes no {settings}: it is called without")

    async def negotiate(
        self, program: Module, examples: Sequence[Example], signals: Mapping[str, Signal]
    ) -> None:
        """Find out what the endpoints take, before anything depends on it.

        Args:
            program: The program.
            examples: Some of its examples; endpoints are asked with a prompt of the first.
            signals: What its cascades are asked with, by their paths.

        Afterwards ``schemas`` says by (name, endpoint) which models keep to a schema, of those
        of which nobody has said so: there ``auto`` stands for ``json``.

        Raises:
            AuthError: An endpoint does not accept the key.
            InputError: A signal needs log-probabilities that a model does not give.
        """
        logprobs = any(signal.logprobs for signal in signals.values())
        question = Question.of(program, examples, logprobs=logprobs)
        unknown = [layer for layer in self._layers if not self._journal.knows(_key(layer))]
        await asyncio.gather(*(self._ask(layer, question) for layer in unknown))
        self.schemas = {
            key: proven
            for key in map(_key, self._layers)
            if (proven := self._journal.proven(key)) is not None
        }
        lacking = {layer.name for layer in self._layers if "logprobs" in layer.refused}
        check_signals(program, signals, lacking)

    async def _ask(self, layer: Negotiated, question: Question) -> None:
        self._asked.add(id(layer))
        proven: bool | None = None
        completion: Completion | None = None
        try:
            if question.signature is not None and self._declared.get(_key(layer)) is None:
                completion = await self._tried(layer, question.request_schema())
                # Without the format it may have been luck.
                proven = (
                    completion is not None
                    and "response_format" not in layer.refused
                    and conforms(question.signature, completion)
                )
            if completion is None:
                completion = await self._tried(layer, question.request())
        finally:
            self._asked.discard(id(layer))
        if completion is None:
            return
        if question.logprobs and completion.logprobs is None:
            layer.refuse({"logprobs"})
        self._journal.learn(_key(layer), layer.refused, completion, proven)
        self._say(layer, layer.refused)
        if proven:
            self._reporter.note(
                f"{layer.name} keeps to a response schema: the adapter auto is json with it"
            )

    async def _tried(self, layer: Negotiated, request: Request) -> Completion | None:
        try:
            return await layer.complete(request)
        except (*_UNKNOWN, BudgetExceeded):
            return None


def check_signals(program: Module, signals: Mapping[str, Signal], lacking: Set[str]) -> None:
    """Refuse signals that need log-probabilities of a model which gives none.

    Args:
        program: The program.
        signals: What its cascades are asked with, by their paths.
        lacking: Names of models that give no log-probabilities.

    Raises:
        InputError: There is such a signal.
    """
    modules = program.named_modules()
    for path, signal in signals.items():
        predictors = modules[path].predictors().values()
        names = (unwrap(predictor.model).name for predictor in predictors)
        name = next((name for name in names if signal.logprobs and name in lacking), None)
        if name is not None:
            raise InputError(
                f"the signal {signal.name!r} of the cascade {path} needs log-probabilities, which "
                f"{name} does not give: take signal='agreement' or signal='check' (or "
                "tokens=False, if it is learned)"
            )


@dataclass(frozen=True)
class Question:
    """What endpoints are asked to show what they take.

    Args:
        messages: A prompt of the program, as its own adapter writes it.
        signature: Whose outputs it asks for; ``None`` where ``auto`` is nowhere in force, or no
            predictor can be shown an example.
        as_json: The same prompt as the adapter ``json`` writes it.
        logprobs: Whether log-probabilities are wanted.
    """

    messages: tuple[Message, ...] = QUESTION
    signature: SignatureSpec | None = None
    as_json: tuple[Message, ...] = ()
    logprobs: bool = False

    @classmethod
    def of(cls, program: Module, examples: Sequence[Example], *, logprobs: bool) -> Question:
        """Return the prompt of the first predictor that the first example can be shown to."""
        for predictor in program.predictors().values():
            for example in examples[:1]:
                if not all(name in example for name in predictor.inputs):
                    continue
                values = predictor.check_inputs({name: example[name] for name in predictor.inputs})
                automatic = (predictor.adapter or current().adapter) == AUTO
                return cls(
                    predictor.render(values),
                    predictor.signature if automatic else None,
                    adapter_named("json").render(predictor.signature, predictor.demos, values),
                    logprobs,
                )
        return cls(logprobs=logprobs)

    def request(self) -> Request:
        """Return the request as the program would make it."""
        return Request(self.messages, SETTINGS, logprobs=self.logprobs, ledgers=current().ledgers)

    def request_schema(self) -> Request:
        """Return the request with a response schema."""
        assert self.signature is not None
        schema = adapter_named("json").response_schema(self.signature)
        return replace(self.request(), messages=self.as_json, response_schema=schema)


def list_models(
    program: Module, more: Iterable[LanguageModel | ModelRef | str]
) -> list[LanguageModel]:
    """Return every model that a compile may ask, without what a compile puts around them.

    Args:
        program: Its predictors' models, and the ambient one where one of them names none.
        more: Models, or their names, that the search names beside those.
    """
    asked = [predictor.model for predictor in program.predictors().values()]
    asked += [model_from(model) for model in more]
    return [unwrap(model) for model in dict.fromkeys(asked)]


def unwrap(model: str | ModelRef | None) -> LanguageModel:
    """Return a model, or the ambient one, below what a compile puts around it."""
    wrapped = model_named(model)
    return wrapped.inner if isinstance(wrapped, Recorded) else wrapped


def _key(layer: Negotiated) -> tuple[str, str]:
    return layer.name, layer.endpoint
