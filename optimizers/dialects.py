"""What the endpoints of a compile take, found out before its first paid stage.

A compile samples: its proposer, its votes, its probes set a temperature and a seed. One short
request to every remote model says which of that, and of what the program's signals need, the
endpoint refuses. The journal keeps it, so that a resumed compile goes on in the same way and pays
for no second answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial

from langprog import Example, Module
from langprog.errors import (
    BadRequestError,
    BudgetExceeded,
    ContentFilterError,
    ContextWindowError,
    InputError,
    TransportError,
)
from langprog.lm import (
    LanguageModel,
    Message,
    ModelRef,
    Negotiated,
    Recorded,
    Request,
    Sampling,
    Setting,
    dialect_of,
    model_from,
)
from langprog.modules import Signal
from langprog.runtime import current, model_named
from optimizers.journal import Journal
from optimizers.progress import Noted
from optimizers.teller import Teller

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
        teller: Says it.
    """

    def __init__(self, models: Iterable[LanguageModel], journal: Journal, teller: Teller) -> None:
        layers = (dialect_of(model) for model in models)
        self._layers = tuple({id(layer): layer for layer in layers if layer is not None}.values())
        self._journal = journal
        self._teller = teller
        self._asked: set[int] = set()
        self._learning = [partial(self._learn, layer) for layer in self._layers]

    def __enter__(self) -> Dialects:
        for layer, learn in zip(self._layers, self._learning, strict=True):
            layer.refuse(self._journal.refused(_key(layer)))
            layer.tell(learn)
        return self

    def __exit__(self, *error: object) -> None:
        for layer, learn in zip(self._layers, self._learning, strict=True):
            layer.tell_no_more(learn)

    def _learn(self, layer: Negotiated, refused: frozenset[Setting]) -> None:
        if id(layer) not in self._asked:  # else it is said and kept once all is known
            new = refused - self._journal.refused(_key(layer))
            self._journal.learn(_key(layer), refused)
            self._say(layer, new)

    def _say(self, layer: Negotiated, refused: frozenset[Setting]) -> None:
        if refused:
            settings = ", ".join(sorted(refused))
            self._teller.note(Noted(f"{layer.name} takes no {settings}: it is asked without"))

    async def negotiate(
        self, program: Module, examples: Sequence[Example], signals: Mapping[str, Signal]
    ) -> None:
        """Find out what the endpoints take, before anything depends on it.

        Args:
            program: The program.
            examples: Some of its examples; endpoints are asked with a prompt of the first.
            signals: What its cascades are asked with, by their paths.

        Raises:
            AuthError: An endpoint does not accept the key.
            InputError: A signal needs log-probabilities that a model does not give.
        """
        request = Request(
            question_of(program, examples),
            SETTINGS,
            logprobs=any(signal.logprobs for signal in signals.values()),
            ledgers=current().ledgers,
        )
        unknown = [layer for layer in self._layers if not self._journal.knows(_key(layer))]
        await asyncio.gather(*(self._ask(layer, request) for layer in unknown))
        lacking = {layer.name for layer in self._layers if "logprobs" in layer.refused}
        check_signals(program, signals, lacking)

    async def _ask(self, layer: Negotiated, request: Request) -> None:
        self._asked.add(id(layer))
        try:
            completion = await layer.complete(request)
            if request.logprobs and completion.logprobs is None:
                layer.refuse({"logprobs"})
        except (*_UNKNOWN, BudgetExceeded):
            return
        finally:
            self._asked.discard(id(layer))
        self._journal.learn(_key(layer), layer.refused, completion)
        self._say(layer, layer.refused)


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
        names = (unwrapped(one.model).name for one in modules[path].predictors().values())
        name = next((name for name in names if signal.logprobs and name in lacking), None)
        if name is not None:
            raise InputError(
                f"the signal {signal.name!r} of the cascade {path} needs log-probabilities, which "
                f"{name} does not give: take signal='agreement' or signal='check' (or "
                "tokens=False, if it is learned)"
            )


def question_of(program: Module, examples: Sequence[Example]) -> tuple[Message, ...]:
    """Return a prompt of the program: of the first predictor that an example can be shown to."""
    for predictor in program.predictors().values():
        for example in examples[:1]:
            if all(name in example for name in predictor.inputs):
                inputs = {name: example[name] for name in predictor.inputs}
                messages: tuple[Message, ...] = predictor.render(predictor.checked(inputs))
                return messages
    return QUESTION


def models_of(
    program: Module, more: Iterable[LanguageModel | ModelRef | str]
) -> list[LanguageModel]:
    """Return every model that a compile may ask, without what a compile puts around them.

    Args:
        program: Its predictors' models, and the ambient one where one of them names none.
        more: Models, or their names, that the search names beside those.
    """
    asked = [predictor.model for predictor in program.predictors().values()]
    asked += [model_from(model) for model in more]
    return [unwrapped(model) for model in dict.fromkeys(asked)]


def unwrapped(model: str | ModelRef | None) -> LanguageModel:
    """Return a model, or the ambient one, below what a compile puts around it."""
    wrapped = model_named(model)
    return wrapped.inner if isinstance(wrapped, Recorded) else wrapped


def _key(layer: Negotiated) -> tuple[str, str]:
    return layer.name, layer.endpoint
