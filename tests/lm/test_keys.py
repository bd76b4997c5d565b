"""The key of a request: everything that decides an answer, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from langprog.lm import (
    Cached,
    Ledger,
    MemoryCache,
    Message,
    OpenAICompatible,
    Request,
    Sampling,
    request_key,
)
from tests.lm.endpoint import asking, client, good, says

ASKED = Request(
    (Message("system", "be brief"), Message("user", "hi")),
    Sampling(0.5, 10, 0.9, ("X",), 3),
    2,
    {"type": "object", "properties": {"a": {}, "b": {}}},
)
CHANGES: dict[str, Any] = {
    "messages": (Message("system", "be brief"), Message("user", "hi ")),
    "roles": (Message("user", "be brief"), Message("user", "hi")),
    "split": (Message("system", "be brief\nhi"),),
    "temperature": replace(ASKED.sampling, temperature=0.6),
    "max_tokens": replace(ASKED.sampling, max_tokens=11),
    "top_p": replace(ASKED.sampling, top_p=None),
    "stop": replace(ASKED.sampling, stop=("X", "Y")),
    "seed": replace(ASKED.sampling, seed=4),
    "n": 3,
    "schema": {"type": "object", "properties": {"a": {}, "c": {}}},
    "order": {"type": "object", "properties": {"b": {}, "a": {}}},
    "no schema": None,
    "logprobs": True,
}
FIELDS = {
    **dict.fromkeys(("messages", "roles", "split"), "messages"),
    **dict.fromkeys(("schema", "order", "no schema"), "response_schema"),
    "n": "n",
    "logprobs": "logprobs",
}


def one(url: str = "http://one.example/v1", name: str = "a/b", **options: Any) -> OpenAICompatible:
    return OpenAICompatible(name, base_url=url, **options)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_asked_counts(change: str) -> None:
    other = replace(ASKED, **{FIELDS.get(change, "sampling"): CHANGES[change]})
    assert request_key(one(), other) != request_key(one(), ASKED)


def test_who_is_asked_counts_and_who_pays_does_not() -> None:
    key = request_key(one(), ASKED)
    assert key == request_key(one(api_key="sk-secret"), ASKED.with_ledgers([Ledger()]))
    assert key == request_key(one("http://one.example/v1/"), ASKED)
    assert key == request_key(one(defaults=Sampling(temperature=0.1)), ASKED)
    assert key != request_key(one("http://two.example/v1"), ASKED)
    assert key != request_key(one(name="a/c"), ASKED)
    assert key != request_key(one(model="c"), ASKED)
    assert key == request_key(one(model="b"), ASKED)
    bare = replace(ASKED, sampling=Sampling())
    warm = one(defaults=Sampling(temperature=1.0))
    assert request_key(warm, bare) != request_key(one(), bare)
    assert request_key(warm, bare) == request_key(
        one(), replace(ASKED, sampling=Sampling(temperature=1.0))
    )


def test_a_schema_of_any_mapping_has_a_key() -> None:
    plain: Mapping[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    nested = MappingProxyType({**plain, "properties": MappingProxyType(plain["properties"])})
    keys = {
        request_key(one(), replace(ASKED, response_schema=schema)) for schema in (plain, nested)
    }
    assert len(keys) == 1


def test_two_servers_do_not_share_answers() -> None:
    async def run() -> None:
        cache = MemoryCache()
        async with client(says(good())) as (first, seen), client(says(good())) as (second, other):
            for model in (first, second, first, second):
                await Cached(model, cache).complete(asking())
            assert (seen.calls, other.calls) == (1, 1)

    asyncio.run(run())
