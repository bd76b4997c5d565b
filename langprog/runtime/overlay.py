"""What is in force inside a ``using`` block, for one thread or task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType

from langprog.adapters import AUTO, Adapter
from langprog.lm import LanguageModel, Ledger, Sampling
from langprog.runtime.draws import Draw

Wrap = Callable[[LanguageModel], LanguageModel]
Models = Mapping[str, LanguageModel]
Notice = Callable[[str], None]


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
        schemas: Models, by name and endpoint, of which it was found out whether they keep to a
            response schema; goes before what is declared.
        notice: Told what a person should know; without it a warning is given.
    """

    lm: LanguageModel | None = None
    adapter: str | Adapter = AUTO
    sampling: Sampling = Sampling()
    ledgers: tuple[Ledger, ...] = ()
    wrap: Wrap | None = None
    models: Models = field(default_factory=lambda: MappingProxyType({}))
    draw: Draw | None = None
    logprobs: bool = False
    schemas: Mapping[tuple[str, str], bool] = field(default_factory=lambda: MappingProxyType({}))
    notice: Notice | None = None


_overlay: ContextVar[Settings | None] = ContextVar("langprog_settings", default=None)


def overlay() -> Settings | None:
    """Return what the innermost ``using`` put in force here; ``None`` outside of any."""
    return _overlay.get()


def ledgers_in_force() -> tuple[Ledger, ...]:
    """Return the ledgers that every call made here is charged to."""
    settings = _overlay.get()
    return () if settings is None else settings.ledgers


@contextmanager
def use_settings(settings: Settings | None) -> Iterator[None]:
    """Put settings in force inside: new ones, or those of another thread (:func:`overlay`)."""
    token = _overlay.set(settings)
    try:
        yield
    finally:
        _overlay.reset(token)
