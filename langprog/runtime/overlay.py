"""The settings inside a ``using`` block, for one thread or task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType

from langprog.adapters import AUTO, Adapter
from langprog.lm import LanguageModel, Ledger, Sampling
from langprog.observe import Watch
from langprog.runtime.draws import Draw

Wrap = Callable[[LanguageModel], LanguageModel]
Models = Mapping[str, LanguageModel]
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a call uses where the program itself does not say.

    Args:
        lm: Model of every predictor that names none.
        adapter: Adapter of every predictor that names none.
        sampling: Sampling for what predictors and requests leave open.
        ledgers: The ledgers that pay; every one has to be able to afford a call.
        wrap: Wraps every model before it is called (with a journal, say).
        models: Models by name; looked up first.
        draw: Which of several samples this is, if one program is called more than once.
        logprobs: Whether to request log-probabilities with every completion.
        schemas: Whether models, by name and endpoint, were found to honor a response schema;
            takes precedence over declarations.
        notice: Receives notices for the user; without it they become warnings.
        watch: Who is told about calls; ``None`` where nobody listens.
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
    watch: Watch | None = None


settings_overlay: ContextVar[Settings | None] = ContextVar("langprog_settings", default=None)


def overlay() -> Settings | None:
    """Return the settings of the innermost ``using`` block; ``None`` outside of any."""
    return settings_overlay.get()


def ledgers_in_force() -> tuple[Ledger, ...]:
    """Return the ledgers to which calls made here are charged."""
    settings = settings_overlay.get()
    return () if settings is None else settings.ledgers


@contextmanager
def use_settings(settings: Settings | None) -> Iterator[None]:
    """Use settings inside the block: new ones, or another thread's (:func:`overlay`)."""
    token = settings_overlay.set(settings)
    try:
        yield
    finally:
        settings_overlay.reset(token)
