"""From names to models: building them once, and checking which endpoints they may use."""

from __future__ import annotations

import os
import threading

from langprog.errors import ModelError
from langprog.lm import IN_PROCESS, LanguageModel, ModelRef, public_address
from langprog.runtime.addresses import same_place
from langprog.runtime.models import LM
from langprog.runtime.providers import provider_named


class NamedModels:
    """Models built from names, once each and shared by all programs of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, ...], LanguageModel] = {}

    def get(self, name: str) -> LanguageModel:
        """Return ``LM(name)``; a new one if the environment sets another address or key.

        Raises:
            ModelError: The name has no provider, or the key is missing.
        """
        key = (name, *_environment_of(name))
        with self._lock:
            model = self._made.get(key)
        if model is None:
            made = LM(name)
            with self._lock:
                model = self._made.setdefault(key, made)
        return model

    def all(self) -> list[LanguageModel]:
        """Return every model built so far."""
        with self._lock:
            return list(self._made.values())


def _environment_of(name: str) -> tuple[str, ...]:
    """Return the environment variables that determine ``LM(name)``'s endpoint and key."""
    provider = provider_named(name)
    if provider is None:
        return ()
    variables = (provider.url_variable, provider.key_variable)
    return tuple(os.environ.get(variable, "") for variable in variables if variable)


def check_place(ref: ModelRef) -> None:
    """Check that ``LM(ref.name)`` uses the recorded endpoint, or one that the user set.

    The recorded endpoint may come from someone else's file, so it is compared but never used.

    Raises:
        ModelError: It would use another endpoint; says what to do.
    """
    if ref.endpoint is None or _is_named_here(ref.name) or _goes_to(ref.name, ref.endpoint):
        return
    raise ModelError(
        f"the model {ref.name} was at {ref.endpoint!r:.200}, and nothing here says where it is "
        f"now: name it, lp.load(path, models={{{ref.name!r}: lp.LM({ref.name!r}, "
        "base_url=...)}), on the command line --model NAME=provider/model or --base-url URL; or "
        "make a model of that name ambient, lp.using(lm=lp.LM(...))"
    )


def _goes_to(name: str, endpoint: str) -> bool:
    provider = name.partition("/")[0]
    if provider == "pocket":
        return endpoint == IN_PROCESS
    known = provider_named(name)
    if known is None:
        return endpoint == f"litellm:{provider}"
    return same_place(public_address(known.address), endpoint)


def _is_named_here(name: str) -> bool:
    provider = name.partition("/")[0]
    known = provider_named(name)
    if known is not None:
        return known.has_own_address
    prefix = provider.upper().replace("-", "_")
    return any(os.environ.get(f"{prefix}_{end}") for end in ("API_BASE", "BASE_URL"))
