from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import ModelError
from langprog.runtime import portable_address
from langprog.runtime.addresses import ollama_url, same_place, server_url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("127.0.0.1:11500", "http://127.0.0.1:11500/v1"),
        ("my-box", "http://my-box:11434/v1"),
        (":1234", "http://127.0.0.1:1234/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000/v1"),
        ("http://my-box", "http://my-box:80/v1"),
        ("https://my-box", "https://my-box:443/v1"),
        ("https://my-box:8443/ollama/", "https://my-box:8443/ollama/v1"),
        ("http://my-box:11434/v1", "http://my-box:11434/v1"),
        ("my-box:no-port", "http://my-box:11434/v1"),
        ("my-box:99999", "http://my-box:11434/v1"),
        ("[::1]:1234", "http://[::1]:1234/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("[::]", "http://[::1]:11434/v1"),
        (' "my-box:1" ', "http://my-box:1/v1"),
    ],
)
def test_ollama_host_is_read_as_its_own_client_reads_it(value: str, url: str) -> None:
    assert ollama_url(value) == url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://box:8000/v1", "http://box:8000/v1"),
        ("http://box:8000/", "http://box:8000/v1"),
        ("box:8000", "http://box:8000/v1"),
        ("https://box/models/v1/", "https://box/models/v1"),
    ],
)
def test_a_servers_address_may_leave_out_what_is_usual(value: str, url: str) -> None:
    assert server_url(value) == url


@pytest.mark.parametrize(
    ("name", "variable", "value", "endpoint"),
    [
        ("ollama/llama3.2", "OLLAMA_HOST", "box:1", "http://box:1/v1"),
        ("vllm/org/model", "VLLM_BASE_URL", "http://box:2/v1", "http://box:2/v1"),
        ("sglang/m", "SGLANG_BASE_URL", "http://box:3", "http://box:3/v1"),
        ("llamacpp/m", "LLAMACPP_BASE_URL", "http://box:4/v1/", "http://box:4/v1"),
    ],
)
def test_the_environment_names_the_address_of_a_local_server(
    monkeypatch: pytest.MonkeyPatch, name: str, variable: str, value: str, endpoint: str
) -> None:
    usual = lp.LM(name).endpoint
    monkeypatch.setenv(variable, value)
    assert lp.LM(name).endpoint == endpoint != usual
    monkeypatch.setenv(variable, "  ")
    assert lp.LM(name).endpoint == usual


@pytest.mark.parametrize("value", ["ftp://box", "http://[box", "http://user:word@box", "http://"])
def test_an_address_that_is_none_is_refused_with_the_variable_that_has_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", value)
    with pytest.raises(ModelError, match="it comes from VLLM_BASE_URL") as caught:
        lp.LM("vllm/m")
    assert "word" not in str(caught.value).replace("password", "")


def test_every_address_of_this_machine_is_recorded_as_one() -> None:
    here = ["http://localhost:1/v1", "http://127.0.0.2:2", "https://[::1]:3/v1", "http://0.0.0.0"]
    assert {portable_address(address) for address in here} == {"loopback"}
    elsewhere = "https://localhost.example.com/v1"
    assert (portable_address(elsewhere), portable_address(None)) == (elsewhere, None)
    assert same_place("http://localhost:8000/v1", "loopback")
    assert same_place("https://a.example/v1/", "https://a.example/v1")
    assert not same_place("https://a.example/v1", "https://b.example/v1")
