"""Find out which settings the endpoints of a compile accept, before its first paid stage.

A compile samples: its proposer and its votes set a temperature and a seed. A short request to
every remote model shows which of these settings, and of those that the program's signals need, its
endpoint refuses. The journal keeps the result, so that a resumed compile decides the same and does
not pay for the request again.
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

# The request where no predictor takes an example as it is.
QUESTION = (Message("system", "Reply with one word."), Message("user", "Ready?"))
SETTINGS = Sampling(temperature=0.7, max_tokens=512, seed=1)
# The endpoint cannot be reached or refuses the request; a later call will say why.
_UNKNOWN = (TransportError, BadRequestError, ContextWindowError, ContentFilterError)


class Dialects:
    """The dialects of a compile's models while it runs; a context manager.

    It starts from what the journal knows, and records and reports what is learned.

    Args:
        models: Every model that the compile may call.
        journal: Records what is learned.
        reporter: Reports it.
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
            layer.refuse(self._journal.refused_settings(_key(layer)))
            layer.subscribe(learn)
        return self

    def __exit__(self, *error: object) -> None:
        for layer, learn in zip(self._layers, self._learning, strict=True):
            layer.unsubscribe(learn)

    def _learn(self, layer: Negotiated, refused: frozenset[Setting]) -> None:
        if id(layer) not in self._asked:  # else it is reported once all is known
            new = refused - self._journal.refused_settings(_key(layer))
            self._journal.record_dialect(_key(layer), refused)
            self._report(layer, new)

    def _report(self, layer: Negotiated, refused: frozenset[Setting]) -> None:
        if refused:
            settings = ", ".join(sorted(refused))
            self._reporter.note(f"{layer.name} refuses {settings}: it is called without")

    async def negotiate(
        self, program: Module, examples: Sequence[Example], signals: Mapping[str, Signal]
    ) -> None:
        """Find out what the endpoints accept, before anything depends on it.

        Afterwards ``schemas`` says by (name, endpoint) whether a model follows a schema, for those
        that were not declared either way; where one does, ``auto`` means ``json``.

        Args:
            program: The program.
            examples: Some of its examples; the request is a prompt of the first.
            signals: Signals of its cascades, by their paths.

        Raises:
            AuthError: An endpoint does not accept the key.
            InputError: A signal needs log-probabilities that a model does not return.
        """
        logprobs = any(signal.logprobs for signal in signals.values())
        question = Question.of(program, examples, logprobs=logprobs)
        unknown = [layer for layer in self._layers if not self._journal.knows_dialect(_key(layer))]
        await asyncio.gather(*(self._ask(layer, question) for layer in unknown))
        self.schemas = {
            key: proven
            for key in map(_key, self._layers)
            if (proven := self._journal.keeps_schema(key)) is not None
        }
        lacking = {layer.name for layer in self._layers if "logprobs" in layer.refused}
        check_signals(program, signals, lacking)

    async def _ask(self, layer: Negotiated, question: Question) -> None:
        self._asked.add(id(layer))
        proven: bool | None = None
        completion: Completion | None = None
        try:
            if question.with_tools is not None:
                called = await self._try(layer, question.request_tools())
                if called is not None:
                    self._journal.record_dialect(_key(layer), layer.refused, called)
            if question.signature is not None and self._declared.get(_key(layer)) is None:
                completion = await self._try(layer, question.request_schema())
                # Where the format was dropped, a reply that conforms may be luck.
                proven = (
                    completion is not None
                    and "response_format" not in layer.refused
                    and conforms(question.signature, completion)
                )
            if completion is None:
                completion = await self._try(layer, question.request())
        finally:
            self._asked.discard(id(layer))
        if completion is None:
            return
        if question.logprobs and completion.logprobs is None:
            layer.refuse({"logprobs"})
        self._journal.record_dialect(_key(layer), layer.refused, completion, proven)
        self._report(layer, layer.refused)
        if proven:
            self._reporter.note(
                f"{layer.name} follows a response schema: the adapter auto means json with it"
            )

    async def _try(self, layer: Negotiated, request: Request) -> Completion | None:
        try:
            return await layer.complete(request)
        except (*_UNKNOWN, BudgetExceeded):
            return None


def check_signals(program: Module, signals: Mapping[str, Signal], lacking: Set[str]) -> None:
    """Refuse signals that need log-probabilities from a model that returns none.

    Args:
        program: The program.
        signals: Signals of its cascades, by their paths.
        lacking: Names of models that return no log-probabilities.

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
                f"{name} does not return: use signal='agreement' or signal='check' (or "
                "tokens=False, if it is learned)"
            )


@dataclass(frozen=True)
class Question:
    """The request that shows what endpoints accept.

    Args:
        messages: A prompt of the program, as its own adapter renders it.
        signature: The signature of its outputs; ``None`` where no predictor uses ``auto``, or none
            takes an example as it is.
        as_json: The same prompt as the adapter ``json`` renders it.
        logprobs: Whether log-probabilities are wanted.
        with_tools: The same prompt with the tools of the program, if it has any.
    """

    messages: tuple[Message, ...] = QUESTION
    signature: SignatureSpec | None = None
    as_json: tuple[Message, ...] = ()
    logprobs: bool = False
    with_tools: Request | None = None

    @classmethod
    def of(cls, program: Module, examples: Sequence[Example], *, logprobs: bool) -> Question:
        """Build a probe from the first predictor whose inputs the first example has.

        A plain question is asked where there is none, or no example.

        Args:
            program: The program whose prompts are typical.
            examples: Its examples; the first one is used.
            logprobs: Whether to request log-probabilities as well.
        """
        for predictor in program.predictors().values():
            for example in examples[:1]:
                needed = [name for name in predictor.inputs if predictor.needs_input(name)]
                if not all(name in example for name in needed):
                    continue
                if predictor.nearest is not None:
                    predictor = predictor.with_own_parameters({"nearest": None})
                values = predictor.check_inputs(
                    {name: example[name] for name in predictor.inputs if name in example}
                )
                automatic = (predictor.adapter or current().adapter) == AUTO
                request = predictor.request_for(values)
                return cls(
                    request.messages if request.without_tools is None else QUESTION,
                    predictor.signature if automatic else None,
                    adapter_named("json").render(predictor.signature, predictor.demos, values),
                    logprobs,
                    None if request.without_tools is None else request,
                )
        return cls(logprobs=logprobs)

    def request(self) -> Request:
        """Return the request as the program would make it."""
        return Request(self.messages, SETTINGS, logprobs=self.logprobs, ledgers=current().ledgers)

    def request_tools(self) -> Request:
        """Return the request with the program's tools."""
        assert self.with_tools is not None
        request = replace(self.with_tools, sampling=SETTINGS, logprobs=self.logprobs)
        return request.with_ledgers(current().ledgers)

    def request_schema(self) -> Request:
        """Return the request with a response schema."""
        assert self.signature is not None
        schema = adapter_named("json").response_schema(self.signature)
        return replace(self.request(), messages=self.as_json, response_schema=schema)


def list_models(
    program: Module, more: Iterable[LanguageModel | ModelRef | str]
) -> list[LanguageModel]:
    """List every model that a compile may call, without the layers that a compile adds.

    Args:
        program: Its predictors' models, and the ambient one where a predictor names none.
        more: Models, or their names, that the search names besides those.
    """
    models = [predictor.model for predictor in program.predictors().values()]
    models += [model_from(model) for model in more]
    return [unwrap(model) for model in dict.fromkeys(models)]


def unwrap(model: str | ModelRef | None) -> LanguageModel:
    """Return a model, or the ambient one, without the layers that a compile adds."""
    wrapped = model_named(model)
    return wrapped.inner if isinstance(wrapped, Recorded) else wrapped


def _key(layer: Negotiated) -> tuple[str, str]:
    return layer.name, layer.endpoint
