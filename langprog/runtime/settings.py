"""The one ambient state: which model, adapter, budget and wrapper a call uses by default."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypedDict

from langprog.adapters import adapter_named
from langprog.errors import InputError, ModelError
from langprog.lm import Budget, LanguageModel, Ledger, Sampling
from langprog.runtime.draws import Draw
from langprog.runtime.models import LM

Wrap = Callable[[LanguageModel], LanguageModel]
Models = Mapping[str, LanguageModel]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a call uses where the program says nothing itself.

    Args:
        lm: Model of every predictor that names none.
        adapter: Adapter of every predictor that names none.
        sampling: Sampling used where neither predictor nor request says more.
        ledgers: Who pays; every ledger has to agree to a call.
        wrap: Put around every model before it is asked (a journal, say).
        models: Models by name, before any other place where a name is looked up.
        draw: Which of several samples this is, where one program is asked more than once.
        logprobs: Whether log-probabilities are asked for with every completion.
    """

    lm: LanguageModel | None = None
    adapter: str = "chat"
    sampling: Sampling = Sampling()
    ledgers: tuple[Ledger, ...] = ()
    wrap: Wrap | None = None
    models: Models = field(default_factory=lambda: MappingProxyType({}))
    draw: Draw | None = None
    logprobs: bool = False


class _Changes(TypedDict, total=False):
    lm: LanguageModel
    adapter: str
    sampling: Sampling
    ledgers: tuple[Ledger, ...]
    wrap: Wrap
    models: Models


class _Process:
    """Defaults of the process, seen by every thread, as a ContextVar alone would not be.

    Models that are named in it are made once and shared by every program.
    """

    def __init__(self) -> None:
        self.settings = Settings()
        self.lock = threading.Lock()
        self._models: dict[str, LanguageModel] = {}

    def model(self, name: str) -> LanguageModel:
        with self.lock:
            model = self._models.get(name)
        if model is None:
            made = LM(name)
            with self.lock:
                model = self._models.setdefault(name, made)
        return model

    def add(self, model: LanguageModel) -> None:
        with self.lock:
            self._models[model.name] = model


_process = _Process()
_overlay: ContextVar[Settings | None] = ContextVar("langprog_settings", default=None)


def current() -> Settings:
    """Return the settings in force here: the innermost :func:`using`, else the process's."""
    overlay = _overlay.get()
    return _process.settings if overlay is None else overlay


def model_named(name: str | None = None) -> LanguageModel:
    """Return the model of that name, or the ambient one, with the ambient wrapper around it.

    Looked up in this order: the settings' models, the ambient model if it has that name, models
    that a program was given as objects, and last ``LM(name)``, made once for the process.

    Raises:
        ModelError: The name is unknown, or no name is given and no model is configured.
    """
    settings = current()
    if name is None:
        if settings.lm is None:
            raise ModelError(
                "no model is configured: call lp.configure(lm='openai/gpt-4.1-mini'), or "
                "lm='pocket/small' for the embedded one (on the command line: --lm)"
            )
        model = settings.lm
    elif name in settings.models:
        model = settings.models[name]
    elif settings.lm is not None and settings.lm.name == name:
        model = settings.lm
    else:
        model = _process.model(name)
    return model if settings.wrap is None else settings.wrap(model)


def remember(model: LanguageModel) -> str:
    """Keep a model that a program was given as an object; return the name that finds it again."""
    _process.add(model)
    return model.name


def _as_model(model: LanguageModel | str) -> LanguageModel:
    return _process.model(model) if isinstance(model, str) else model


def configure(
    *,
    lm: LanguageModel | str | None = None,
    adapter: str | None = None,
    sampling: Sampling | None = None,
    models: Iterable[LanguageModel | str] | None = None,
) -> None:
    """Set defaults for the whole process; ``None`` leaves a default as it is.

    Args:
        lm: Model, or its name (``"pocket/small"``), of predictors that name none.
        adapter: ``"chat"`` or ``"json"``.
        sampling: Default sampling.
        models: Models that programs may name.

    Raises:
        ModelError: The model's name is unknown.
        InputError: The adapter is unknown.
    """
    changes = _changes(lm, adapter, sampling, models, _process.settings)
    with _process.lock:
        _process.settings = replace(_process.settings, **changes)


@contextmanager
def using(
    *,
    lm: LanguageModel | str | None = None,
    adapter: str | None = None,
    sampling: Sampling | None = None,
    models: Iterable[LanguageModel | str] | None = None,
    budget: Budget | Ledger | None = None,
    wrap: Wrap | None = None,
) -> Iterator[Settings]:
    """Change the settings inside a ``with`` block, for this thread or task alone.

    Args:
        lm: Model, or its name, of predictors that name none.
        adapter: ``"chat"`` or ``"json"``.
        sampling: Default sampling.
        models: Models that programs may name.
        budget: A cap on everything that is called inside, on top of those around it.
        wrap: Put around every model, outside the wrappers that are there.

    Yields:
        The settings in force inside; the ledger of ``budget`` is the last of its ``ledgers``.

    Raises:
        ModelError: The model's name is unknown.
        InputError: The adapter is unknown.
    """
    now = current()
    changes = _changes(lm, adapter, sampling, models, now)
    if budget is not None:
        ledger = budget if isinstance(budget, Ledger) else Ledger(budget)
        changes["ledgers"] = (*now.ledgers, ledger)
    if wrap is not None:
        changes["wrap"] = _around(wrap, now.wrap)
    with _overlaid(replace(now, **changes)):
        yield current()


@contextmanager
def drawing(number: int, temperature: float) -> Iterator[None]:
    """Make what is called inside sample number ``number`` of several.

    Args:
        number: Which sample, from 0; a draw inside a draw counts on its own.
        temperature: How freely predictors sample that say nothing themselves, or 0.
    """
    now = current()
    with _overlaid(replace(now, draw=Draw.inside(now.draw, number, temperature))):
        yield


@contextmanager
def asking_logprobs() -> Iterator[None]:
    """Ask for log-probabilities with every completion inside."""
    with _overlaid(replace(current(), logprobs=True)):
        yield


def overlay() -> Settings | None:
    """Return what the innermost :func:`using` put in force here; ``None`` outside of any."""
    return _overlay.get()


def resumed(settings: Settings | None) -> AbstractContextManager[None]:
    """Put in force what :func:`overlay` returned elsewhere, in another thread, say."""
    return _overlaid(settings)


@contextmanager
def _overlaid(settings: Settings | None) -> Iterator[None]:
    token = _overlay.set(settings)
    try:
        yield
    finally:
        _overlay.reset(token)


def _around(outer: Wrap, inner: Wrap | None) -> Wrap:
    if inner is None:
        return outer
    return lambda model: outer(inner(model))


def _changes(
    lm: LanguageModel | str | None,
    adapter: str | None,
    sampling: Sampling | None,
    models: Iterable[LanguageModel | str] | None,
    now: Settings,
) -> _Changes:
    changes = _Changes()
    if lm is not None:
        changes["lm"] = _as_model(lm)
    if adapter is not None:
        adapter_named(adapter)
        changes["adapter"] = adapter
    if sampling is not None:
        changes["sampling"] = sampling
    if models is not None:
        named = {model.name: model for model in map(_as_model, models)}
        if not named:
            raise InputError("models= is empty: name at least one model, or leave it out")
        changes["models"] = MappingProxyType({**now.models, **named})
    return changes
