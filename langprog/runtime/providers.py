"""OpenAI-compatible endpoints that are known by name, those of installed packages among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from types import MappingProxyType

from langprog.errors import ModelError
from langprog.plugins import load_plugin
from langprog.runtime.addresses import ollama_url, plain_url, server_url

GROUP = "langprog.providers"


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenAI-compatible endpoint that is known by name.

    Args:
        base_url: Where it answers.
        key_variable: Environment variable that holds its key; empty where none is needed.
        url_variable: Environment variable that names another address, as the provider's own
            software understands it.
        read_url: Makes a base URL of what that variable holds.
        schemas: Whether the provider documents that its models keep to a response schema.
    """

    base_url: str
    key_variable: str = ""
    url_variable: str = ""
    read_url: Callable[[str], str] = plain_url
    schemas: bool = False

    @property
    def address(self) -> str:
        """Where it answers here: as the environment says, else at its usual place."""
        named = os.environ.get(self.url_variable, "").strip()
        return self.read_url(named) if named else self.base_url

    @property
    def has_own_address(self) -> bool:
        """Whether the environment names its address; a key alone says not where it is to go."""
        return bool(self.url_variable and os.environ.get(self.url_variable))


# Two document structured outputs: OpenAI (of gpt-4o and all later models; an earlier one refuses
# the schema and is asked without it) and Mistral (of all models). Elsewhere it depends on the
# model, on how a server was started or on its version: there a user says schema=True.
PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "openai": Provider(
            "https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL", schemas=True
        ),
        "openrouter": Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "groq": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        "together": Provider("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        "deepseek": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        "mistral": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY", schemas=True),
        "ollama": Provider("http://localhost:11434/v1", "", "OLLAMA_HOST", ollama_url),
        "vllm": Provider("http://localhost:8000/v1", "", "VLLM_BASE_URL", server_url),
        "sglang": Provider("http://localhost:30000/v1", "", "SGLANG_BASE_URL", server_url),
        "llamacpp": Provider("http://localhost:8080/v1", "", "LLAMACPP_BASE_URL", server_url),
    }
)


def provider_named(model: str) -> Provider | None:
    """Return the provider of a model's name, ``provider/model``; ``None`` where nobody knows it.

    A package brings one by an entry point of the group ``langprog.providers``, whose name is the
    provider's and whose value is a :class:`Provider`; it cannot replace one of ours.

    Raises:
        ModelError: A package's entry point does not load, or is not a provider.
    """
    provider = model.partition("/")[0]
    return PROVIDERS.get(provider) or _installed_provider(provider)


@lru_cache(maxsize=256)
def _installed_provider(provider: str) -> Provider | None:
    for point in entry_points(group=GROUP):
        if point.name == provider:
            value = load_plugin(point, "the provider", ModelError)
            if not isinstance(value, Provider):
                raise ModelError(
                    f"the provider {provider!r}, an entry point of {GROUP!r} ({point.value}), is "
                    f"a {type(value).__name__}: it must be a langprog.runtime.Provider"
                )
            return value
    return None
