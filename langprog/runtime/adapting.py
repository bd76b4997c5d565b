"""Choosing the adapter of a call: its own, the ambient one, or the one that ``auto`` means."""

from __future__ import annotations

from langprog.adapters import AUTO, Adapter, adapter_named
from langprog.errors import ModelError
from langprog.lm import LanguageModel, ModelRef, capabilities_of, dialect_of, model_name
from langprog.runtime.models import keeps_to_schemas
from langprog.runtime.overlay import Settings
from langprog.runtime.settings import current, model_in_force


def adapter_for(
    adapter: str | Adapter | None,
    model: str | ModelRef | None,
    settings: Settings | None = None,
) -> Adapter:
    """Return the adapter of a predictor's call.

    Args:
        adapter: The predictor's own, by name or as an object; ``None`` for the ambient one.
        model: The predictor's model, or its name; ``None`` for the ambient one.
        settings: The settings in force, if they are known already.

    Raises:
        InputError: There is no adapter of that name.
    """
    settings = settings or current()
    chosen = settings.adapter if adapter is None else adapter
    if not isinstance(chosen, str):
        return chosen
    if chosen != AUTO:
        return adapter_named(chosen)
    try:
        return resolve_adapter(model_in_force(model, settings), settings)
    except ModelError:
        # The model cannot be called here, but its prompts can still be rendered.
        name = model_name(model)
        return _automatic(name is not None and keeps_to_schemas(name))


def resolve_adapter(model: LanguageModel, settings: Settings | None = None) -> Adapter:
    """Return the adapter that ``auto`` means for a model, without calling it.

    That is ``json`` if the settings in force, the user or the provider say that the model honors a
    schema, and ``chat`` otherwise.

    Args:
        model: The model.
        settings: The settings in force, if they are known already.
    """
    schemas = (settings or current()).schemas
    decided = schemas.get((model.name, model.endpoint)) if schemas else None
    return _automatic(capabilities_of(model).schema if decided is None else decided)


def _automatic(schema: bool | None) -> Adapter:
    return adapter_named("json" if schema else "chat")


def may_call_tools(model: str | ModelRef | None) -> bool:
    """Return whether a model can be given tools to call, without calling it.

    A model at an endpoint counts as able: if the endpoint refuses tools, the request goes out in
    its form without them.

    Args:
        model: The model, or its name; ``None`` for the ambient one.
    """
    try:
        called = model_in_force(model)
    except ModelError:
        return False
    declared = capabilities_of(called).tools
    return dialect_of(called) is not None if declared is None else declared


def refuses_tools(model: str | ModelRef | None) -> bool:
    """Return whether a model is known to refuse tools.

    Args:
        model: As for :func:`may_call_tools`.
    """
    try:
        dialect = dialect_of(model_in_force(model))
    except ModelError:
        return False
    return dialect is not None and "tools" in dialect.refused
