"""Every other provider, through litellm."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import os
import re
import time
from typing import Any

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
    TransportError,
)
from langprog.lm.openai_errors import retry_after, said_in
from langprog.lm.openai_reply import MISSHAPEN, check_completion, read_usage
from langprog.lm.types import Completion, Request, Sampling, Usage

# litellm's exceptions by name, the more special ones first: some derive from others.
ERRORS: tuple[tuple[str, type[LMError]], ...] = (
    ("ContextWindowExceededError", ContextWindowError),
    ("ContentPolicyViolationError", ContentFilterError),
    ("AuthenticationError", AuthError),
    ("PermissionDeniedError", AuthError),
    ("RateLimitError", RateLimitError),
    ("Timeout", TimeoutError),
    ("APIConnectionError", ConnectError),
    ("ServiceUnavailableError", ServerError),
    ("InternalServerError", ServerError),
    ("BadGatewayError", ServerError),
    ("APIResponseValidationError", ServerError),
    ("NotFoundError", BadRequestError),
    ("UnprocessableEntityError", BadRequestError),
    ("BadRequestError", BadRequestError),
    ("APIError", ServerError),
)
SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS")
SECRET = re.compile(r"\b(?:sk|gsk|xai|key|AIza|hf|Bearer)[-_ :=]*[\w.\-]{12,}", re.IGNORECASE)


class LiteLLM:
    """A model that litellm reaches; litellm is imported when the first request is sent.

    Args:
        name: ``provider/model`` as litellm knows it.
        defaults: Sampling where a request says nothing.
        timeout: Seconds for a whole call.
        api_key: The provider's key; litellm takes it from the environment if left out.
    """

    def __init__(
        self,
        name: str,
        *,
        defaults: Sampling = Sampling(),
        timeout: float = 60.0,
        api_key: str | None = None,
    ) -> None:
        self.name = name
        self.endpoint = f"litellm:{name.partition('/')[0]}"
        self.defaults = defaults
        self._timeout = timeout
        self._key = (api_key or "").strip()
        self._loaded: Any = None

    async def _library(self) -> Any:
        if self._loaded is None:
            # Takes seconds, which the other tasks of the event loop need not wait.
            self._loaded = await asyncio.to_thread(_load, self.name)
        return self._loaded

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: litellm's own errors, told apart in our terms.
            ModelError: litellm is not installed.
        """
        litellm = await self._library()
        named = ((getattr(litellm, name, None), ours) for name, ours in ERRORS)
        known = tuple((theirs, ours) for theirs, ours in named if theirs is not None)
        started = time.perf_counter()
        try:
            reply = await litellm.acompletion(**self._arguments(request))
        except tuple(theirs for theirs, _ in known) as error:
            raise self._ours(error, known) from None
        except builtins.TimeoutError:
            raise TimeoutError(
                f"{self.name}: no answer in {self._timeout:g} s", model=self.name
            ) from None
        return self._read(reply, request, time.perf_counter() - started)

    def _arguments(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling.over(self.defaults)
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [
                {"role": message.role, "content": message.content} for message in request.messages
            ],
            "timeout": self._timeout,
            "num_retries": 0,
            "drop_params": True,
        }
        if self._key:
            arguments["api_key"] = self._key
        for key in ("temperature", "max_tokens", "top_p", "seed"):
            value = getattr(sampling, key)
            if value is not None:
                arguments[key] = value
        if sampling.stop:
            arguments["stop"] = list(sampling.stop)
        if request.n > 1:
            arguments["n"] = request.n
        if request.logprobs:
            arguments["logprobs"] = True
        if request.response_schema is not None:
            arguments["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "outputs", "schema": dict(request.response_schema)},
            }
        return arguments

    def _ours(
        self, error: Exception, known: tuple[tuple[type[Exception], type[LMError]], ...]
    ) -> LMError:
        ours = next(ours for theirs, ours in known if isinstance(error, theirs))
        text = str(error).replace(self._key, "***") if self._key else str(error)
        said = said_in(_hidden(text))
        message = f"{self.name}: {type(error).__name__} from litellm: {said}"
        if issubclass(ours, TransportError):
            return ours(message, model=self.name, retry_after=retry_after(_headers(error)))
        return ours(message, model=self.name)

    def _read(self, reply: Any, request: Request, latency: float) -> Completion:
        try:
            texts = tuple(_text(choice.message.content) for choice in reply.choices)
            reasons = tuple(str(choice.finish_reason or "stop") for choice in reply.choices)
            usage = _usage(getattr(reply, "usage", None))
            logprobs = _logprobs(reply.choices) if request.logprobs else None
            if not texts:
                raise TypeError("there is no choice")
        except MISSHAPEN:
            raise ServerError(
                f"{self.name}: the reply is no completion", model=self.name
            ) from None
        return check_completion(
            Completion(texts, self.name, usage, reasons, logprobs, None, latency), request
        )

    async def aclose(self) -> None:
        """Do nothing: litellm keeps its own connections."""


def _load(name: str) -> Any:
    # litellm would fetch its price list over the network when it is imported; ours is its own.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        litellm = importlib.import_module("litellm")
    except ImportError:
        raise ModelError(
            f"{name} is reached through litellm, which is not installed: "
            "pip install 'langprog[litellm]', or pass base_url= for an OpenAI-compatible endpoint"
        ) from None
    vars(litellm)["suppress_debug_info"] = True  # it prints advice to standard output
    return litellm


def _text(content: Any) -> str:
    if content is not None and not isinstance(content, str):
        raise TypeError("content is no text")
    return content or ""


def _usage(counted: Any) -> Usage:
    if counted is None:
        return Usage()
    details = getattr(counted, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None)
    return read_usage(
        {
            "prompt_tokens": counted.prompt_tokens,
            "completion_tokens": counted.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
    )


def _logprobs(choices: Any) -> tuple[tuple[float, ...], ...] | None:
    inside: list[Any] = [getattr(choice, "logprobs", None) for choice in choices]
    if not all(inside):
        return None
    return tuple(tuple(float(token.logprob) for token in one.content) for one in inside)


def _headers(error: Exception) -> dict[str, str]:
    found: dict[str, str] = {}
    response = getattr(error, "response", None)
    for place in (
        getattr(response, "headers", None),
        getattr(error, "litellm_response_headers", None),
    ):
        found |= {str(key): str(value) for key, value in (place or {}).items()}
    return found


def _hidden(text: str) -> str:
    """Take out what may be a key: litellm has it from the environment, some errors quote it."""
    for name, value in os.environ.items():
        if len(value) >= 8 and name.endswith(SECRET_NAMES):
            text = text.replace(value, "***")
    return SECRET.sub("***", text)
