"""The options of :func:`langprog.LM`, checked before a model is built."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypedDict

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    JsonValue,
    ValidationError,
)

from langprog.errors import ModelError
from langprog.lm import OWN_MEMBERS, Cache, Price, Sampling

# What other libraries call what is called otherwise here.
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "api_base": "write base_url=",
        "async_engine": "leave it out: there is a single client",
        "azure_endpoint": "write base_url=, and lp.LM('azure/deployment')",
        "cache_dir": "write cache=",
        "cache_in_memory": "write cache=",
        "caching": "write cache=",
        "callbacks": "write lp.configure(callbacks=[...])",
        "custom_llm_provider": "write lp.LM('provider/model')",
        "default_headers": "write headers=",
        "deployment": "write lp.LM('azure/deployment')",
        "engine": "leave it out: other providers are reached through litellm by themselves",
        "extra_body": "write extra=",
        "extra_headers": "write headers=",
        "logprobs": "leave it out: modules that need log-probabilities ask for them",
        "max_completion_tokens": "write max_tokens=",
        "max_retries": "write attempts=",
        "model": "the model's name first: lp.LM('provider/model')",
        "model_type": "leave it out: chat is the only kind",
        "n": "write lp.Vote(program, k=...) or lp.BestOf(program, judge=..., k=...)",
        "num_retries": "write attempts=",
        "reasoning": "write reasoning_effort=",
        "request_timeout": "write timeout=",
        "response_format": "write schema=True, or adapter='json' for a predictor",
        "rollout_id": "write sampling with another seed=",
        "stream": "leave it out: program.stream(...) streams",
        "timeout_s": "write timeout=",
        "tools": "write lp.ReAct(signature, tools=[...])",
        **{
            name: f"write extra={{{name!r}: ...}}"
            for name in (
                "frequency_penalty",
                "logit_bias",
                "min_p",
                "num_ctx",
                "presence_penalty",
                "repetition_penalty",
                "top_k",
            )
        },
    }
)


class LMOptions(TypedDict, total=False):
    """Options by name; documented in :func:`langprog.LM`."""

    temperature: float
    max_tokens: int
    top_p: float
    stop: tuple[str, ...]
    seed: int
    reasoning_effort: str
    extra: dict[str, Any]
    base_url: str
    api_key: str
    api_version: str
    headers: dict[str, str]
    timeout: float
    cache: bool | str | Path | Cache
    price: Price
    width: int
    rpm: int
    tpm: int
    attempts: int
    schema: bool


def _to_tuple(stop: Any) -> Any:
    return (stop,) if isinstance(stop, str) else tuple(stop) if isinstance(stop, list) else stop


def _check_unreserved(extra: dict[str, Any]) -> dict[str, Any]:
    taken = sorted(OWN_MEMBERS.intersection(extra))
    if taken:
        raise ValueError(f"{taken[0]!r} is set by langprog itself: use lp.LM's own option")
    return extra


def _check_sendable(headers: dict[str, str]) -> dict[str, str]:
    if any(ord(char) < 32 or char == "\x7f" for pair in headers.items() for char in "".join(pair)):
        raise ValueError("a header contains a control character, such as a line break")
    return headers


Count = Annotated[int, Field(ge=1)]


class CheckedOptions(BaseModel):
    """The same options with types, bounds and defaults."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    temperature: Annotated[float, Field(ge=0)] | None = None
    max_tokens: Count | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: Annotated[tuple[str, ...], BeforeValidator(_to_tuple)] = ()
    seed: int | None = None
    reasoning_effort: Annotated[str, Field(min_length=1)] | None = None
    extra: Annotated[dict[str, JsonValue], AfterValidator(_check_unreserved)] | None = None
    base_url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    api_version: str | None = None
    headers: Annotated[dict[str, str], AfterValidator(_check_sendable)] | None = Field(
        default=None, repr=False
    )
    timeout: Annotated[float, Field(gt=0)] = 60.0
    cache: bool | str | InstanceOf[Path] | InstanceOf[Cache] = True
    price: InstanceOf[Price] | None = None
    width: Count | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    attempts: Count = 6
    takes_schema: bool | None = Field(default=None, alias="schema")

    @property
    def sampling(self) -> Sampling:
        """Sampling for what a request leaves open."""
        names = [field.name for field in dataclasses.fields(Sampling)]
        return Sampling(**{name: getattr(self, name) for name in names})


def check_options(options: LMOptions) -> CheckedOptions:
    """Validate options.

    Raises:
        ModelError: An option is unknown, or its value is invalid.
    """
    names = [field.alias or name for name, field in CheckedOptions.model_fields.items()]
    for name in options:
        if name not in names:
            hint = f": {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
            known = ", ".join(sorted(names))
            raise ModelError(f"lp.LM has no option {name!r}{hint}; it has {known}")
    try:
        return CheckedOptions(**options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        # Even a malformed key must not appear in a message.
        value = "..." if name in ("api_key", "headers") else f"{options.get(name)!r:.40}"
        raise ModelError(f"lp.LM: {name}={value} is invalid: {first['msg']}") from None
