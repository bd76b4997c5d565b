"""The ambient settings: which model, adapter, budget and wrapper a call uses by default."""

from __future__ import annotations

import itertools
import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import TypedDict

from langprog.adapters import Adapter, check_adapter
from langprog.errors import InputError, LangprogWarning, ModelError
from langprog.hints import Words, with_hints
from langprog.lm import (
    Budget,
    Hold,
    LanguageModel,
    Ledger,
    ModelRef,
    Sampling,
    check_lm,
    public_address,
    same_model,
)
from langprog.observe import CallbackLike, CallLog, Listener, Watch
from langprog.runtime.draws import Draw
from langprog.runtime.lookup import NamedModels, check_place
from langprog.runtime.overlay import (
    Models,
    Notice,
    Settings,
    Wrap,
    settings_overlay,
    use_settings,
)


class _Changes(TypedDict, total=False):
    lm: LanguageModel
    adapter: str | Adapter
    sampling: Sampling
    ledgers: tuple[Ledger, ...]
    wrap: Wrap
    models: Models
    notice: Notice
    watch: Watch


# Names a file to which all model and tool calls of the process are logged.
LOG_VARIABLE = "LANGPROG_LOG"


class _Process:
    """Defaults of the process, visible to every thread, which a ContextVar would not be."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.models = NamedModels()
        self.call_numbers = itertools.count(1)
        log = os.environ.get(LOG_VARIABLE)
        self.log = (Listener(CallLog(log)),) if log else ()
        watch = Watch(self.log, next_call=self.call_numbers.__next__) if log else None
        self.settings = Settings(watch=watch)


_process = _Process()


def current() -> Settings:
    """Return the settings in force: those of the innermost :func:`using`, else the process's."""
    return settings_overlay.get() or _process.settings


def model_named(
    model: str | ModelRef | None = None, settings: Settings | None = None
) -> LanguageModel:
    """Return a program's model, or the ambient one, inside the ambient wrapper.

    Args:
        model: The model or its name, or ``None`` for the ambient one.
        settings: The settings in force, if they are known already.

    Raises:
        ModelError: As for :func:`model_in_force`.
    """
    settings = settings or current()
    lm = model_in_force(model, settings)
    return lm if settings.wrap is None else settings.wrap(lm)


def model_in_force(
    model: str | ModelRef | None = None, settings: Settings | None = None
) -> LanguageModel:
    """Return the model object behind a program's model.

    A model that was passed as an object is that object. A name is looked up in the settings'
    models, then as the ambient model's name, and finally as ``LM(name)``, built once per process.
    For a name from an artifact, ``LM(name)`` must use the endpoint in the artifact or one that the
    user set.

    Args:
        model: As for :func:`model_named`.
        settings: As for :func:`model_named`.

    Raises:
        ModelError: The name is unknown or ambiguous, there is neither a name nor an ambient
            model, or the user did not set the model's endpoint.
    """
    settings = settings or current()
    if model is None:
        if settings.lm is None:
            raise ModelError(
                "no model is configured: call lp.configure(lm='openai/gpt-6-luna'), or "
                "lm='pocket/small' for the embedded one (on the command line: --lm)"
            )
        return settings.lm
    if isinstance(model, ModelRef) and model.lm is not None:
        return model.lm
    name = str(model)
    given = settings.models.get(name)
    ambient = settings.lm
    if ambient is not None and ambient.name == name:
        if given is not None and not same_model(given, ambient):
            raise ModelError(f"models= and lm= {_two_models_message(name, given, ambient)}")
        return given or ambient
    if given is not None:
        return given
    if isinstance(model, ModelRef):
        check_place(model)
    return _process.models.get(name)


def _two_models_message(name: str, first: LanguageModel, second: LanguageModel) -> str:
    return (
        f"contain two different models named {name!r} ({public_address(first.endpoint)} and "
        f"{public_address(second.endpoint)}), but a name can refer to only one: pass each to its "
        "predictor as an object, lp.Predict(..., model=...), or rename one of them"
    )


def _to_model(model: LanguageModel | ModelRef | str, place: str) -> LanguageModel:
    if isinstance(model, str):
        return _process.models.get(model)
    if isinstance(model, ModelRef):
        return model_in_force(model)
    return check_lm(model, place)


def _by_name(models: Iterable[LanguageModel | ModelRef | str]) -> dict[str, LanguageModel]:
    if isinstance(models, (str, Mapping)) or not isinstance(models, Iterable):
        raise InputError(
            f"models= is a {type(models).__name__}: it takes a list of models, models=[lm, other]"
        )
    named: dict[str, LanguageModel] = {}
    for model in models:
        made = _to_model(model, "a model of models=")
        earlier = named.setdefault(made.name, made)
        if earlier is not made:
            raise ModelError(f"models= {_two_models_message(made.name, earlier, made)}")
    if not named:
        raise InputError("models= is empty: name at least one model, or leave it out")
    return named


# Settings of other libraries, and what there is here instead.
_ELSEWHERE: Words = MappingProxyType(
    {
        "async_max_workers": "write lp.evaluate(..., concurrency=...) or lp.LM(name, width=...)",
        "cache": "write lp.LM(name, cache=...)",
        "model": "write lm=",
        "num_threads": "write lp.evaluate(..., concurrency=...)",
        "provide_traceback": "errors carry their traceback; a row's failure says what happened",
        "rm": "a program searches by lp.Retrieve(retriever)",
        "trace": "every prediction has .trace",
        "track_usage": "every prediction has .usage",
    }
)
_BY_NAME = "write lm=..., a model or its name"


@with_hints(_ELSEWHERE, by_name=_BY_NAME)
def configure(
    *,
    lm: LanguageModel | ModelRef | str | None = None,
    adapter: str | Adapter | None = None,
    sampling: Sampling | None = None,
    models: Iterable[LanguageModel | ModelRef | str] | None = None,
    callbacks: Iterable[CallbackLike] | None = None,
) -> None:
    """Set defaults for the whole process; ``None`` leaves a default as it is.

    Args:
        lm: Model, or its name (``"pocket/small"``), for predictors that name none.
        adapter: Adapter for predictors that name none, by name or as an object; ``"auto"`` by
            default.
        sampling: Default sampling.
        models: Models that programs may name.
        callbacks: Told about every call, in place of those configured before; see
            :func:`langprog.callbacks`.

    Raises:
        ModelError: A model's name is unknown, an object is not a language model, or two different
            models have the same name.
        InputError: The adapter or a callback is unknown or invalid.
    """
    changes = _changes(lm, adapter, sampling, models, _process.settings)
    if callbacks is not None:
        listeners = (*_process.log, *_listeners(callbacks))
        changes["watch"] = _new_watch().with_listeners(listeners)
    with _process.lock:
        _process.settings = replace(_process.settings, **changes)


@with_hints(_ELSEWHERE, by_name=_BY_NAME)
@contextmanager
def using(
    *,
    lm: LanguageModel | ModelRef | str | None = None,
    adapter: str | Adapter | None = None,
    sampling: Sampling | None = None,
    models: Iterable[LanguageModel | ModelRef | str] | None = None,
    budget: Budget | Ledger | None = None,
    wrap: Wrap | None = None,
    notice: Notice | None = None,
    callbacks: Iterable[CallbackLike] | None = None,
) -> Iterator[Settings]:
    """Change the settings inside a ``with`` block, for this thread or task only.

    Args:
        lm: Model, or its name, for predictors that name none.
        adapter: Adapter for predictors that name none, by name or as an object; ``"auto"`` by
            default.
        sampling: Default sampling.
        models: Models that programs may name.
        budget: A cap on all calls inside, in addition to the budgets around it.
        wrap: Wraps every model, outside its other wrappers.
        notice: Receives notices from inside, in place of warnings.
        callbacks: Told about every call inside, in addition to those around; see
            :func:`langprog.callbacks`.

    Yields:
        The settings in force inside; the ledger of ``budget`` is the last of its ``ledgers``.

    Raises:
        ModelError: A model's name is unknown, an object is not a language model, or two different
            models have the same name.
        InputError: The adapter or a callback is unknown or invalid.
    """
    now = current()
    changes = _changes(lm, adapter, sampling, models, now)
    if budget is not None:
        ledger = budget if isinstance(budget, Ledger) else Ledger(budget)
        changes["ledgers"] = (*now.ledgers, ledger)
    if wrap is not None:
        changes["wrap"] = _compose(wrap, now.wrap)
    if notice is not None:
        changes["notice"] = notice
    if callbacks is not None:
        changes["watch"] = (now.watch or _new_watch()).with_listeners(_listeners(callbacks))
    with use_settings(replace(now, **changes)):
        yield current()


def give_notice(text: str) -> None:
    """Notify the user: through the listener in force, else as a warning."""
    listener = current().notice
    if listener is None:
        warnings.warn(text, LangprogWarning, stacklevel=2)
    else:
        listener(text)


@contextmanager
def sample_draw(number: int, temperature: float) -> Iterator[None]:
    """Make the calls inside sample number ``number`` of several.

    Args:
        number: Which sample, from 0; nested draws count separately.
        temperature: For predictors without a temperature, or with 0.
    """
    now = current()
    watch = None if now.watch is None else now.watch.at(number)
    draw = Draw.inside(now.draw, number, temperature)
    with use_settings(replace(now, draw=draw, watch=watch)):
        yield


@contextmanager
def mark_element(index: int) -> Iterator[None]:
    """Tell those who watch that the call inside is for this element of a list."""
    now = current()
    if now.watch is None:
        yield
        return
    with use_settings(replace(now, watch=now.watch.at(index))):
        yield


@contextmanager
def watch_calls(watch: Watch) -> Iterator[None]:
    """Tell the listeners of ``watch`` about the calls inside."""
    with use_settings(replace(current(), watch=watch)):
        yield


@contextmanager
def reserve_together(calls: int) -> Iterator[None]:
    """Reserve for the calls inside all at once, in every ledger in force.

    Inside another such block, it changes nothing: the outer one reserves for its calls.

    Args:
        calls: Expected number of calls.
    """
    now = current()
    if not now.ledgers or any(isinstance(ledger, Hold) for ledger in now.ledgers):
        yield
        return
    holds = Hold.open(dict.fromkeys(now.ledgers), calls)
    try:
        with use_settings(replace(now, ledgers=holds)):
            yield
    finally:
        for hold in holds:
            hold.release()


@contextmanager
def request_logprobs() -> Iterator[None]:
    """Request log-probabilities with every completion inside."""
    with use_settings(replace(current(), logprobs=True)):
        yield


@contextmanager
def assume_schemas(known: Mapping[tuple[str, str], bool]) -> Iterator[None]:
    """Use these findings, inside the block, on which models honor a response schema.

    Args:
        known: Whether each does, by the model's name and endpoint.
    """
    now = current()
    with use_settings(replace(now, schemas=MappingProxyType({**now.schemas, **known}))):
        yield


def _new_watch() -> Watch:
    # A callback may be in force in several places, where no two calls have the same number.
    return Watch(next_call=_process.call_numbers.__next__)


def _listeners(callbacks: Iterable[CallbackLike]) -> list[Listener]:
    if isinstance(callbacks, (str, Mapping)) or not isinstance(callbacks, Iterable):
        raise InputError(
            f"callbacks= is a {type(callbacks).__name__}: it takes a list, callbacks=[callback]"
        )
    return [Listener(callback) for callback in callbacks]


def _compose(outer: Wrap, inner: Wrap | None) -> Wrap:
    if inner is None:
        return outer
    return lambda model: outer(inner(model))


def _changes(
    lm: LanguageModel | ModelRef | str | None,
    adapter: str | Adapter | None,
    sampling: Sampling | None,
    models: Iterable[LanguageModel | ModelRef | str] | None,
    now: Settings,
) -> _Changes:
    changes = _Changes()
    if lm is not None:
        changes["lm"] = _to_model(lm, "lm=")
    if adapter is not None:
        changes["adapter"] = check_adapter(adapter)
    if sampling is not None:
        changes["sampling"] = sampling
    if models is not None:
        changes["models"] = MappingProxyType({**now.models, **_by_name(models)})
    return changes
