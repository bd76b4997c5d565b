"""What a model can do, as far as its user or its provider has said."""

from __future__ import annotations

from dataclasses import dataclass

from langprog.lm.types import LanguageModel
from langprog.lm.wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model is known to be able to do.

    Args:
        schema: Whether it keeps to a response schema; ``None`` where nobody has said.
    """

    schema: bool | None = None


_UNKNOWN = Capabilities()


class Declared(Wrapper):
    """Says what the model inside can do; a model of your own is wrapped in it by hand.

    Args:
        inner: The model.
        capabilities: What it can do.
    """

    def __init__(self, inner: LanguageModel, capabilities: Capabilities) -> None:
        super().__init__(inner)
        self.capabilities = capabilities


def capabilities_of(model: LanguageModel) -> Capabilities:
    """Return what has been said about a model, through the wrappers around it."""
    while isinstance(model, Wrapper):  # on the path of every call, so without layers_of
        if isinstance(model, Declared):
            return model.capabilities
        model = model.inner
    return _UNKNOWN
