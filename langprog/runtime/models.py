"""Building models from names: ``provider/model`` becomes a client with its wrappers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Unpack

from langprog.errors import ModelError
from langprog.hints import with_hints
from langprog.lm import (
    Budgeted,
    Cache,
    Cached,
    Capabilities,
    Declared,
    DiskCache,
    LanguageModel,
    LiteLLM,
    MemoryCache,
    Negotiated,
    OpenAICompatible,
    Price,
    Priced,
    Retry,
    Throttle,
    price_of,
)
from langprog.runtime.addresses import may_hold_address
from langprog.runtime.options import CheckedOptions, LMOptions, check_options
from langprog.runtime.overlay import ledgers_in_force
from langprog.runtime.providers import provider_named

# What LANGPROG_CACHE says where no completion is to be kept; a folder of that name is ./off.
NO_CACHE = "off"


@with_hints({"model": "its name comes first: lp.LM('provider/model')"})
def LM(name: str, **options: Unpack[LMOptions]) -> LanguageModel:
    """Build a language model from its name, with cache, retries, throttle, budget and price.

    - ``pocket/small``: the embedded model, in this process, no key, no network.
    - ``openai/...``, ``ollama/...``, ``vllm/...`` and other OpenAI-compatible providers, or any
      name together with ``base_url``: a direct asynchronous HTTP client. ``OPENAI_BASE_URL``,
      ``OLLAMA_HOST`` (as Ollama's own client reads it), ``VLLM_BASE_URL``, ``SGLANG_BASE_URL`` and
      ``LLAMACPP_BASE_URL`` in the environment override the usual address. A package adds
      providers with entry points in the group ``langprog.providers``.
    - any other ``provider/model``: through litellm, which must be installed.

    With ``base_url``, a known provider's model is requested by the part of its name after the
    ``/``, with the key in the provider's variable; any other name is sent in full, with
    ``api_key`` only.

    Args:
        name: ``provider/model``.
        **options: ``temperature``, ``max_tokens``, ``top_p``, ``stop``, ``seed``,
            ``reasoning_effort``, ``extra`` (additional body members): sampling for what a request
            leaves open. ``base_url``, ``api_key``, ``api_version`` (Azure), ``headers`` (never
            stored), ``timeout`` (seconds, default 60): the endpoint. ``cache``: ``True`` for the
            user's cache folder (for an embedded model: memory; with ``LANGPROG_CACHE=off``: none),
            ``False``, a folder, or a Cache.
            ``price``: an ``lp.Price``, dollars per million tokens; genai-prices' if left out.
            ``width``: maximum concurrent requests of all callers together; by default only the
            callers limit them (``evaluate(concurrency=)``) until the endpoint first answers 429
            or lets requests time out in its queue, after which the width adapts. ``rpm``,
            ``tpm``: requests and tokens per minute. ``attempts``: how often a request is sent at
            most (6). ``schema``: whether the model honors a response schema, so that the adapter
            ``auto`` means ``json`` and not ``chat``; by default yes for openai and mistral at
            their own addresses, else no.

    Returns:
        The model; call it with ``await model.complete(request)`` or pass it to a program.

    Raises:
        ModelError: The name has no provider, an option is unknown or does not fit, or the key is
            missing.
    """
    given = check_options(options)
    if not isinstance(name, str):
        raise ModelError(f"the name of a model is a text, provider/model, not {name!r:.40}")
    provider, _, rest = name.partition("/")
    if given.base_url is None and not (provider and rest):
        raise ModelError(
            f"the model name {name!r} has no provider: write provider/model, "
            "such as pocket/small, openai/gpt-6-luna or ollama/llama3.2"
        )
    if provider == "pocket" and given.base_url is None:
        return _make_embedded(name, given)
    return _make_remote(name, given)


def _make_embedded(name: str, options: CheckedOptions) -> LanguageModel:
    from langprog.pocket import PocketLM  # noqa: PLC0415 - the engine imports numpy

    client = PocketLM(name, defaults=options.sampling)
    nominal = Price(client.size.input_price, client.size.output_price, source="nominal")
    priced = Priced(_with_capabilities(client, options.takes_schema), options.price or nominal)
    return _with_cache(Budgeted(priced, in_force=ledgers_in_force), options.cache, in_process=True)


def _make_remote(name: str, options: CheckedOptions) -> LanguageModel:
    client = _with_capabilities(_make_client(name, options), _takes_schema(name, options))
    priced = Priced(client, options.price or _list_price(name, options))
    paid = Budgeted(priced, in_force=ledgers_in_force)
    throttled = Throttle(
        paid,
        width=options.width,
        rpm=options.rpm,
        tpm=options.tpm,
    )
    retried = Retry(Negotiated(throttled, options.sampling), attempts=options.attempts)
    return _with_cache(retried, options.cache, in_process=False)


def _list_price(name: str, options: CheckedOptions) -> Price | None:
    # No list has prices for a user's own server, so the list, slow and large, is not
    # even loaded for it.
    own = options.base_url is not None and provider_named(name) is None
    return None if own else price_of(name)


def keeps_to_schemas(name: str) -> bool:
    """Return whether a model of that name, at its provider's own address, honors a schema."""
    provider = provider_named(name)
    return provider is not None and provider.schemas and provider.address == provider.base_url


def _takes_schema(name: str, options: CheckedOptions) -> bool | None:
    if options.takes_schema is not None:
        return options.takes_schema
    # Another address is not the provider, whatever the model is called.
    return True if options.base_url is None and keeps_to_schemas(name) else None


def _with_capabilities(client: LanguageModel, schema: bool | None) -> LanguageModel:
    return client if schema is None else Declared(client, Capabilities(schema=schema))


def _make_client(name: str, options: CheckedOptions) -> LanguageModel:
    provider, _, rest = name.partition("/")
    known = provider_named(name)
    base_url = options.base_url
    if base_url is None and known is None:
        if may_hold_address(name):
            raise ModelError(
                f"the model name {name!r:.120} may contain an address: pass addresses to lp.LM as "
                "base_url="
            )
        return LiteLLM(
            name,
            timeout=options.timeout,
            api_key=options.api_key,
            api_version=options.api_version,
            headers=options.headers,
        )
    variable = known.key_variable if known else ""
    key = options.api_key or (os.environ.get(variable) if variable else None)
    if base_url is None and variable and not key:
        raise ModelError(
            f"no key for {name}: set the environment variable {variable}, "
            "or pass api_key= to lp.LM"
        )
    try:
        return OpenAICompatible(
            name,
            base_url=base_url or (known.address if known else ""),
            model=rest if known and rest else name,
            api_key=key,
            timeout=options.timeout,
            headers=options.headers,
            api_version=options.api_version,
        )
    except ModelError as error:
        if base_url is None and known is not None and os.environ.get(known.url_variable):
            raise ModelError(f"{error} (it comes from {known.url_variable})") from None
        raise


def _with_cache(
    model: LanguageModel, cache: bool | str | Path | Cache, *, in_process: bool
) -> LanguageModel:
    if cache is False or (cache is True and os.environ.get("LANGPROG_CACHE") == NO_CACHE):
        return model
    if cache is True:
        return Cached(model, MemoryCache() if in_process else DiskCache(cache_folder()))
    if isinstance(cache, (str, Path)):
        return Cached(model, DiskCache(Path(cache)))
    return Cached(model, cache)


def cache_folder() -> Path:
    """Return the cache folder: ``LANGPROG_CACHE``, else a folder in the user's cache."""
    named = os.environ.get("LANGPROG_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "langprog"
