"""What a model supports, as declared by its user or its provider."""

from __future__ import annotations

from dataclasses import dataclass

from langprog.lm.types import LanguageModel
from langprog.lm.wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model is known to support.

    Args:
        schema: Whether it honors a response schema; ``None`` if unknown.
        tools: Whether it can be given tools to call; ``None`` if unknown.
    """

    schema: bool | None = None
    tools: bool | None = None


_UNKNOWN = Capabilities()


class Declared(Wrapper):
    """Declares what the model inside supports; wrap your own model in it.

    Args:
        inner: The model.
        capabilities: What it supports.
    """

    def __init__(self, inner: LanguageModel, capabilities: Capabilities) -> None:
        super().__init__(inner)
        self.capabilities = capabilities


def capabilities_of(model: LanguageModel) -> Capabilities:
    """Return a model's declared capabilities, looking through its wrappers."""
    while isinstance(model, Wrapper):  # on every call's path, hence not layers_of
        if isinstance(model, Declared):
            return model.capabilities
        model = model.inner
    return _UNKNOWN
