"""OpenAI-compatible endpoints known by name, including those of installed packages."""

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
    """An OpenAI-compatible endpoint known by name.

    Args:
        base_url: Its usual base URL.
        key_variable: Environment variable with its key; empty if none is needed.
        url_variable: Environment variable with another address, in the format that the
            provider's own software uses.
        read_url: Turns that variable's value into a base URL.
        schemas: Whether the provider documents that its models honor a response schema.
    """

    base_url: str
    key_variable: str = ""
    url_variable: str = ""
    read_url: Callable[[str], str] = plain_url
    schemas: bool = False

    @property
    def address(self) -> str:
        """The base URL to use here: from the environment, else the usual one."""
        named = os.environ.get(self.url_variable, "").strip()
        return self.read_url(named) if named else self.base_url

    @property
    def has_own_address(self) -> bool:
        """Whether the environment sets its address; a key alone does not."""
        return bool(self.url_variable and os.environ.get(self.url_variable))


# Two document structured outputs: OpenAI (for gpt-4o and later; earlier models reject the schema,
# which is then dropped) and Mistral (for all models). Elsewhere it depends on the model, on how a
# server was started or on its version: there users pass schema=True.
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
    """Return the provider in a model's name, ``provider/model``; ``None`` if it is unknown.

    A package adds one with an entry point in the group ``langprog.providers``, whose name is the
    provider's and whose value is a :class:`Provider`; it cannot replace a built-in one.

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
