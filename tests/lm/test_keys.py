"""The key of a request: everything that decides an answer, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langprog.errors import InputError
from langprog.lm import (
    Audio,
    Cached,
    File,
    Image,
    Ledger,
    MemoryCache,
    Message,
    OpenAICompatible,
    Reasoning,
    Request,
    Sampling,
    ScriptedLM,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
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


WORDS = st.text("ab\ud800\x00", max_size=3)
# Bytes that begin like a file of no kind.
BYTES = st.binary(max_size=3).map(lambda tail: b"ab" + tail)
PARTS = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Image, BYTES, media_type=st.sampled_from(["", "image/png", "image/gif"])),
    st.builds(lambda url: Image(url=url), WORDS),
    st.builds(Audio, BYTES),
    st.builds(File, BYTES, name=WORDS),
    st.builds(ToolCall, WORDS, WORDS, WORDS),
    st.builds(ToolResult, WORDS, WORDS),
    st.builds(Reasoning, WORDS, WORDS),
)
EXTRA = st.none() | st.dictionaries(
    st.sampled_from(["top_k", "min_p"]), st.integers(0, 2), min_size=1
)
REQUESTS = st.builds(
    Request,
    st.lists(
        st.builds(
            Message,
            st.sampled_from(["system", "user", "assistant", "tool"]),
            WORDS | st.lists(PARTS, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    st.builds(
        Sampling,
        st.none() | st.sampled_from([0, 0.0, 0.5, 1]),
        st.none() | st.integers(1, 2),
        st.none() | st.sampled_from([0.5, 1, 1.0]),
        st.lists(WORDS, max_size=2).map(tuple),
        st.none() | st.integers(0, 2),
        st.none() | st.sampled_from(["low", "high"]),
        EXTRA,
    ),
    st.integers(1, 2),
    st.none() | st.sampled_from([{"type": "object"}, {"type": "string"}]),
    st.booleans(),
    tools=st.lists(st.builds(ToolSpec, WORDS, WORDS), max_size=1).map(tuple),
    tool_choice=st.none() | st.sampled_from(["auto", "none"]),
)


@given(REQUESTS, REQUESTS)
@settings(max_examples=100, deadline=None)
def test_two_requests_share_a_key_only_if_the_same_is_asked(left: Request, right: Request) -> None:
    model = ScriptedLM([])
    assert (request_key(model, left) == request_key(model, right)) == (left == right)


def test_what_is_not_asked_is_not_in_the_key() -> None:
    model = ScriptedLM([])
    plain = Request((Message("user", "hi"),))
    more = replace(
        plain,
        ledgers=(Ledger(),),
        headers={"x-tag": "1"},
        accept=lambda completion: None,
        optional=frozenset({"seed"}),
        token_limit="max_completion_tokens",
        stream_usage=False,
    )
    assert request_key(model, more) == request_key(model, plain)


def test_members_of_the_body_count_wherever_they_are_set() -> None:
    model = ScriptedLM([])
    plain = Request((Message("user", "hi"),))
    on_request = replace(plain, extra={"top_k": 5})
    on_sampling = replace(plain, sampling=Sampling(extra={"top_k": 5}))
    assert request_key(model, on_request) == request_key(model, on_sampling)
    assert request_key(model, on_request) != request_key(model, plain)


@pytest.mark.parametrize("name", ["messages", "max_tokens", "n", "stream", "model", "tools"])
def test_what_langprog_sets_itself_is_no_extra(name: str) -> None:
    for make in (lambda extra: Sampling(extra=extra), lambda extra: Request((), extra=extra)):
        with pytest.raises(InputError, match=name):
            make({name: 5})
