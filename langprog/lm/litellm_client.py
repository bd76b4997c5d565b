"""Every other provider, through litellm."""

from __future__ import annotations

import importlib
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
)
from langprog.lm.openai_errors import retry_after
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


class LiteLLM:
    """A model that litellm reaches; litellm is imported when the first request is sent.

    Args:
        name: ``provider/model`` as litellm knows it.
        defaults: Sampling where a request says nothing.
        timeout: Seconds for a whole call.
    """

    def __init__(
        self, name: str, *, defaults: Sampling = Sampling(), timeout: float = 60.0
    ) -> None:
        self.name = name
        self.endpoint = f"litellm:{name.partition('/')[0]}"
        self.defaults = defaults
        self._timeout = timeout

    def _library(self) -> Any:
        try:
            return importlib.import_module("litellm")
        except ImportError:
            raise ModelError(
                f"{self.name} is reached through litellm, which is not installed: "
                "pip install 'langprog[litellm]', or pass base_url= for an OpenAI-compatible "
                "endpoint"
            ) from None

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: litellm's own errors, told apart in our terms.
            ModelError: litellm is not installed.
        """
        litellm = self._library()
        known = tuple(
            (getattr(litellm, name), ours) for name, ours in ERRORS if name in vars(litellm)
        )
        started = time.perf_counter()
        try:
            reply = await litellm.acompletion(**self._arguments(request))
        except tuple(theirs for theirs, _ in known) as error:
            raise self._ours(error, known) from None
        return self._read(litellm, reply, request, time.perf_counter() - started)

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
        message = f"{self.name}: {type(error).__name__} from litellm"
        if ours in (RateLimitError, ServerError, ConnectError, TimeoutError):
            headers = getattr(getattr(error, "response", None), "headers", None) or {}
            wait = retry_after({str(key).title(): str(value) for key, value in headers.items()})
            return _transport(ours, message, self.name, wait)
        return ours(message, model=self.name)

    def _read(self, litellm: Any, reply: Any, request: Request, latency: float) -> Completion:
        texts = tuple(choice.message.content or "" for choice in reply.choices)
        reasons = tuple(str(choice.finish_reason or "stop") for choice in reply.choices)
        counted = reply.usage
        usage = Usage(int(counted.prompt_tokens or 0), int(counted.completion_tokens or 0))
        logprobs = None
        if request.logprobs and all(choice.logprobs for choice in reply.choices):
            logprobs = tuple(
                tuple(float(token.logprob) for token in choice.logprobs.content)
                for choice in reply.choices
            )
        return Completion(texts, self.name, usage, reasons, logprobs, None, latency)

    async def aclose(self) -> None:
        """Do nothing: litellm keeps its own connections."""


def _transport(kind: type[LMError], message: str, model: str, wait: float | None) -> LMError:
    if kind is RateLimitError:
        return RateLimitError(message, model=model, retry_after=wait)
    if kind is TimeoutError:
        return TimeoutError(message, model=model, retry_after=wait)
    if kind is ConnectError:
        return ConnectError(message, model=model, retry_after=wait)
    return ServerError(message, model=model, retry_after=wait)
