"""The client through litellm: a stand-in for its errors, the real one where it is installed."""

from __future__ import annotations

import asyncio
import builtins
import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    ConnectError,
    ContentFilterError,
    ContextWindowError,
    LMError,
    ModelError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from langprog.lm import Completion, LanguageModel, LiteLLM, Message, Request, Sampling, Usage
from tests.lm.endpoint import asking

KEY = "sk-very-secret-0123456789"


class APIError(Exception):
    def __init__(self, **headers: str) -> None:
        super().__init__(f"failed with the key {KEY}")
        self.response = SimpleNamespace(headers=headers) if headers else None


# litellm's names, some of them derived from others as they are there.
BASES = {
    "BadRequestError": "APIError",
    "ContextWindowExceededError": "BadRequestError",
    "ContentPolicyViolationError": "BadRequestError",
    "UnprocessableEntityError": "APIError",
    "NotFoundError": "APIError",
    "AuthenticationError": "APIError",
    "PermissionDeniedError": "APIError",
    "RateLimitError": "APIError",
    "Timeout": "APIError",
    "APIConnectionError": "APIError",
    "ServiceUnavailableError": "APIError",
    "InternalServerError": "APIError",
    "BadGatewayError": "APIError",
}
OURS: dict[str, type[LMError]] = {
    "BadRequestError": BadRequestError,
    "ContextWindowExceededError": ContextWindowError,
    "ContentPolicyViolationError": ContentFilterError,
    "UnprocessableEntityError": BadRequestError,
    "NotFoundError": BadRequestError,
    "AuthenticationError": AuthError,
    "PermissionDeniedError": AuthError,
    "RateLimitError": RateLimitError,
    "Timeout": TimeoutError,
    "APIConnectionError": ConnectError,
    "ServiceUnavailableError": ServerError,
    "InternalServerError": ServerError,
    "BadGatewayError": ServerError,
    "APIError": ServerError,
}


class Fake(ModuleType):
    """Stands in for litellm: answers, and notes what it was called with."""

    def __init__(self, lazy: bool = False) -> None:
        super().__init__("litellm")
        errors: dict[str, type[Exception]] = {"APIError": APIError}
        for name, base in BASES.items():
            errors[name] = type(name, (errors[base],), {})
        self.errors = errors
        self.calls: list[dict[str, Any]] = []
        self.answer: Any = None
        if not lazy:
            vars(self).update(errors)

    def __getattr__(self, name: str) -> Any:
        # The real one loads its names when they are first asked for.
        try:
            return vars(self)["errors"][name]
        except KeyError:
            raise AttributeError(name) from None

    async def acompletion(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setitem(sys.modules, "litellm", fake)
    return fake


def choice(text: Any = "fine", reason: str | None = "stop", **more: Any) -> SimpleNamespace:
    message = SimpleNamespace(content=text)
    return SimpleNamespace(message=message, finish_reason=reason, **{"logprobs": None, **more})


def reply(*choices: SimpleNamespace, usage: Any = None) -> SimpleNamespace:
    counted = usage or SimpleNamespace(prompt_tokens=7, completion_tokens=3)
    return SimpleNamespace(choices=list(choices), usage=counted)


def complete(request: Request | None = None, **options: Any) -> Completion:
    model = LiteLLM("cohere/command", **options)
    return asyncio.run(model.complete(request or asking()))


def test_the_key_that_was_given_is_the_one_used_and_stays_out_of_messages(litellm: Fake) -> None:
    litellm.answer = reply(choice("a"))
    complete(api_key=" given-key-1 ")
    complete()
    assert [call.get("api_key") for call in litellm.calls] == ["given-key-1", None]
    refused = litellm.errors["AuthenticationError"]
    quoting = type("Quoting", (refused,), {"__str__": lambda _: "given-key-1 is unknown"})
    litellm.answer = quoting()
    with pytest.raises(AuthError) as caught:
        complete(api_key="given-key-1")
    assert "given-key-1" not in str(caught.value)


def test_what_is_asked_arrives(litellm: Fake) -> None:
    litellm.answer = reply(choice("a"), choice("b", "length"))
    request = Request(
        (Message("system", "be brief"), Message("user", "hi")),
        Sampling(max_tokens=5, stop=("X",), seed=3),
        n=2,
        response_schema={"type": "object"},
        logprobs=True,
    )
    completion = complete(request, defaults=Sampling(temperature=0.5, max_tokens=9), timeout=12.0)
    assert completion.texts == ("a", "b")
    assert completion.finish_reasons == ("stop", "length")
    assert (completion.model, completion.usage) == ("cohere/command", Usage(7, 3))
    assert (completion.logprobs, completion.dollars) == (None, None)
    [sent] = litellm.calls
    assert sent["model"] == "cohere/command"
    assert sent["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
    ]
    assert (sent["temperature"], sent["max_tokens"], sent["seed"]) == (0.5, 5, 3)
    assert (sent["stop"], sent["n"], sent["logprobs"]) == (["X"], 2, True)
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (sent["timeout"], sent["num_retries"]) == (12.0, 0)
    assert "top_p" not in sent


def test_log_probabilities_and_cached_tokens(litellm: Fake) -> None:
    tokens = SimpleNamespace(content=[SimpleNamespace(logprob=-0.5), SimpleNamespace(logprob=-1)])
    usage = SimpleNamespace(
        prompt_tokens=7,
        completion_tokens=None,
        prompt_tokens_details=SimpleNamespace(cached_tokens=4),
    )
    litellm.answer = reply(choice(logprobs=tokens), usage=usage)
    completion = complete(asking(logprobs=True))
    assert completion.logprobs == ((-0.5, -1.0),)
    assert completion.usage == Usage(7, 0, 4)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("lazy", [False, True])
def test_its_errors_in_our_terms(monkeypatch: pytest.MonkeyPatch, name: str, lazy: bool) -> None:
    fake = Fake(lazy)
    monkeypatch.setitem(sys.modules, "litellm", fake)
    fake.answer = fake.errors[name]()
    with pytest.raises(LMError) as caught:
        complete()
    assert caught.type is OURS[name]
    assert caught.value.model == "cohere/command"
    assert name in str(caught.value)
    assert KEY not in str(caught.value)
    assert "failed with the ***" in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("header", ["Retry-After", "retry-after"])
@pytest.mark.parametrize("place", ["response", "litellm_response_headers"])
def test_retry_after(litellm: Fake, header: str, place: str) -> None:
    for name in ("RateLimitError", "ServiceUnavailableError", "Timeout"):
        litellm.answer = litellm.errors[name](**{header: "9"})
        if place == "litellm_response_headers":
            litellm.answer.litellm_response_headers = litellm.answer.response.headers
            litellm.answer.response = None
        with pytest.raises((RateLimitError, ServerError, TimeoutError)) as caught:
            complete()
        assert caught.value.retry_after == 9.0


def test_a_key_from_the_environment_is_in_no_error(
    litellm: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHERE_API_KEY", "of an odd form")
    litellm.answer = litellm.errors["AuthenticationError"]()
    litellm.answer.args = ("bad key: of an odd form!",)
    with pytest.raises(AuthError, match=r"bad key: \*\*\*!"):
        complete()


def test_an_error_that_is_none_of_its_own_stays_what_it_is(litellm: Fake) -> None:
    litellm.answer = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        complete()


def test_a_time_out_below_litellm(litellm: Fake) -> None:
    litellm.answer = builtins.TimeoutError()
    with pytest.raises(TimeoutError, match="cohere/command"):
        complete()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(choices=None, usage=None),
        reply(),
        reply(choice(5)),
        reply(SimpleNamespace(message=None, finish_reason="stop")),
        reply(choice(), usage=SimpleNamespace(prompt_tokens="many", completion_tokens=0)),
        reply(choice(), usage=SimpleNamespace(prompt_tokens=-5, completion_tokens=0)),
    ],
)
def test_a_reply_that_is_no_completion(litellm: Fake, answer: Any) -> None:
    litellm.answer = answer
    with pytest.raises(ServerError, match="no completion"):
        complete()


def test_null_content_and_missing_usage(litellm: Fake) -> None:
    litellm.answer = SimpleNamespace(choices=[choice(None, None)])
    completion = complete()
    assert (completion.texts, completion.usage) == (("",), Usage())
    assert completion.finish_reasons == ("stop",)


def test_filtered_and_too_few(litellm: Fake) -> None:
    litellm.answer = reply(choice(None, "content_filter"))
    with pytest.raises(ContentFilterError):
        complete()
    litellm.answer = reply(choice())
    with pytest.raises(BadRequestError, match="n=3"):
        complete(asking(n=3))


def test_it_is_a_language_model_that_names_no_secret() -> None:
    model = LiteLLM("cohere/command", defaults=Sampling(seed=1))
    assert isinstance(model, LanguageModel)
    assert (model.name, model.endpoint) == ("cohere/command", "litellm:cohere")
    asyncio.run(model.aclose())


def test_without_litellm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(ModelError, match=r"pip install 'langprog\[litellm\]'"):
        complete()


@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="litellm is not installed")
@pytest.mark.parametrize("name", OURS)
def test_the_real_one_still_has_these_errors(name: str) -> None:
    # Read, not imported: litellm takes seconds to load.
    spec = importlib.util.find_spec("litellm")
    assert spec is not None and spec.submodule_search_locations is not None
    source = f"{spec.submodule_search_locations[0]}/exceptions.py"
    with open(source, encoding="utf-8") as file:
        assert f"class {name}(" in file.read()
