"""The client for all other providers, through litellm."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import inspect
import json
import os
import re
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from langprog.errors import (
    AuthError,
    BadRequestError,
    Charge,
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
from langprog.lm.openai_body import body_of, messages_of
from langprog.lm.openai_errors import SHORTEST_SECRET, error_line, error_of, retry_after
from langprog.lm.openai_reply import MISSHAPEN, read_completion
from langprog.lm.openai_stream import Assembly
from langprog.lm.parts import Reasoning
from langprog.lm.sampling import Sampling
from langprog.lm.secrecy import credentials_in, is_distinct, without_secrets
from langprog.lm.streaming import Completed, Delta, replay_completion
from langprog.lm.types import Completion, Message, Request

# litellm's exceptions by name, subclasses before their bases.
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


# Body members that litellm takes as arguments and translates for each provider.
MEMBERS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "logit_bias",
        "modalities",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "thinking",
        "top_logprobs",
        "user",
        "verbosity",
        "web_search_options",
    }
)
# For these, litellm adds unknown arguments to the body; for others it needs extra_body.
TAKING_ARGUMENTS = frozenset({"anthropic"})
UNREACHED = frozenset(
    {"ClientConnectorError", "ConnectError", "ConnectionRefusedError", "gaierror"}
)


class LiteLLM:
    """A model reached through litellm, which is imported with the first request.

    Args:
        name: ``provider/model`` as litellm knows it.
        defaults: Sampling for what a request leaves open.
        timeout: Seconds for a whole call.
        api_key: The provider's key; by default litellm reads it from the environment.
        api_version: As Azure requires it.
        headers: Additional HTTP headers of every call; never stored.
    """

    def __init__(
        self,
        name: str,
        *,
        defaults: Sampling = Sampling(),
        timeout: float = 60.0,
        api_key: str | None = None,
        api_version: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.endpoint = f"litellm:{name.partition('/')[0]}"
        self.defaults = defaults
        self._timeout = timeout
        self._key = (api_key or "").strip()
        self._version = api_version
        self._headers = dict(headers or {})
        self._loaded: Any = None

    async def _library(self) -> Any:
        if self._loaded is None:
            # Takes seconds; in a thread, so that the event loop's other tasks go on.
            self._loaded = await asyncio.to_thread(_load, self.name)
        return self._loaded

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: Translated from litellm's errors.
            ModelError: litellm is not installed, or reserves a member of ``extra``.
        """
        litellm = await self._library()
        arguments = self._arguments(request)
        started = time.perf_counter()
        with self._translate_errors(litellm):
            reply = await litellm.acompletion(**arguments)
        completion = read_completion(
            _json(reply), request, self.name, time.perf_counter() - started
        )
        return without_secrets(completion, self._credentials())

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer; the completion comes last. Raises like ``complete``.

        Several completions come as a whole: litellm loses the ends of all but the first.
        """
        if request.n > 1:
            async for delta in replay_completion(await self.complete(request)):
                yield delta
            return
        litellm = await self._library()
        arguments = {**self._arguments(request), "stream": True}
        if request.stream_usage:
            arguments["stream_options"] = {"include_usage": True}
        started = time.perf_counter()
        assembly = Assembly(request, self.name)
        with self._translate_errors(litellm):
            chunks = await litellm.acompletion(**arguments)
        try:
            with self._translate_errors(litellm):
                async for chunk in chunks:
                    for delta in assembly.add(_json(chunk)):
                        yield delta
        except TransportError as error:
            error.charge = "everything"  # the answer had begun
            raise
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        if not assembly.has_ended:
            raise ServerError(
                f"{self.name}: the stream ended early", model=self.name, charge="everything"
            )
        completion = assembly.completion(time.perf_counter() - started)
        yield Completed(without_secrets(completion, self._credentials()))

    def _arguments(self, request: Request) -> dict[str, Any]:
        sampling = request.resolve(self.defaults)
        arguments: dict[str, Any] = {
            **body_of(request, replace(sampling, extra=None)),
            "model": self.name,
            "messages": [part for message in request.messages for part in _messages(message)],
            "timeout": self._timeout,
            # Send each request once, with all its settings: retries and dropped settings are
            # handled by our own wrappers, which count and report them.
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": False,
        }
        headers = {**self._headers, **(request.headers or {})}
        optional = {
            "api_key": self._key,
            "api_version": self._version,
            "extra_headers": headers,
        }
        arguments |= {name: value for name, value in optional.items() if value}
        extra = dict(sampling.extra or {})
        arguments |= {name: extra.pop(name) for name in MEMBERS.intersection(extra)}
        if not extra:
            return arguments
        if self.name.partition("/")[0] not in TAKING_ARGUMENTS:
            return {**arguments, "extra_body": extra}
        self._check(extra)
        return {**arguments, **extra}

    def _check(self, extra: Mapping[str, Any]) -> None:
        # Some of litellm's arguments could send prompt and key to another host.
        kept = set(importlib.import_module("litellm.types.utils").all_litellm_params)
        kept |= set(inspect.signature(self._loaded.acompletion).parameters)
        for name in extra:
            if name in kept or name.startswith("_"):
                raise ModelError(
                    f"{self.name}: litellm uses {name!r} itself, so it cannot be sent with extra: "
                    "leave it out"
                )

    @contextmanager
    def _translate_errors(self, litellm: Any) -> Iterator[None]:
        """Raise our errors in place of litellm's."""
        named = ((getattr(litellm, name, None), ours) for name, ours in ERRORS)
        known = tuple((theirs, ours) for theirs, ours in named if theirs is not None)
        try:
            yield
        except tuple(theirs for theirs, _ in known) as error:
            ours = next(ours for theirs, ours in known if isinstance(error, theirs))
            raise self._to_lm_error(error, ours) from None
        except builtins.TimeoutError:
            raise TimeoutError(
                f"{self.name}: no answer in {self._timeout:g} s", model=self.name
            ) from None

    def _to_lm_error(self, error: Exception, ours: type[LMError]) -> LMError:
        line = error_line(self._redact(str(error)))
        message = f"{self.name}: {type(error).__name__} from litellm: {line}"
        headers, body = _headers(error), self._redact(_body(error))
        if ours in (BadRequestError, RateLimitError):
            # litellm does not always classify an endpoint's text correctly.
            status = 400 if ours is BadRequestError else 429
            read = error_of(status, headers, body, self.name)
            ours = type(read)
            if isinstance(read, BadRequestError):
                params = _unsupported_settings(body) or read.params
                said = f"{message}\n{read.said}".casefold()
                return BadRequestError(message, model=self.name, said=said, params=params)
        if not issubclass(ours, TransportError):
            return ours(message, model=self.name)
        wait = retry_after(headers)
        if issubclass(ours, (ConnectError, ServerError)) and _failed_to_connect(error):
            return ConnectError(message, model=self.name, charge="nothing")
        # litellm also reports unreadable replies as failed connections.
        charge: Charge | None = "everything" if ours is ConnectError else None
        return ours(message, model=self.name, retry_after=wait, charge=charge)

    def _redact(self, text: str) -> str:
        """Mask what may be a key, also one from the environment: some errors quote it."""
        if self._key:
            text = text.replace(self._key, "***")
        for value in self._headers.values():
            if len(value) >= SHORTEST_SECRET:
                text = text.replace(value.split()[-1], "***")
        for name, value in os.environ.items():
            if len(value) >= SHORTEST_SECRET and name.endswith(SECRET_NAMES):
                text = text.replace(value, "***")
        return SECRET.sub("***", text)

    def _credentials(self) -> tuple[str, ...]:
        """Return what no reply may repeat, also keys from the environment."""
        named = [value for name, value in os.environ.items() if name.endswith(SECRET_NAMES)]
        own = (self._key, *credentials_in(self._headers), *named)
        return tuple(filter(is_distinct, own))

    async def aclose(self) -> None:
        """Do nothing: litellm manages its own connections."""


def _load(name: str) -> Any:
    # Otherwise litellm fetches a price list over the network on import.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        litellm = importlib.import_module("litellm")
    except ImportError:
        raise ModelError(
            f"{name} is reached through litellm, which is not installed: "
            "pip install 'langprog[litellm]', or pass base_url= for an OpenAI-compatible endpoint"
        ) from None
    vars(litellm)["suppress_debug_info"] = True  # or it prints advice to standard output
    return litellm


def check_provider(name: str) -> None:
    """Check that litellm is there and knows the provider of a model.

    Raises:
        ModelError: It is not, or does not.
    """
    provider = name.partition("/")[0]
    if provider not in {
        str(getattr(known, "value", known)) for known in _load(name).provider_list
    }:
        raise ModelError(
            f"{name} is at no provider that litellm knows: name its address, base_url=, on the "
            "command line --base-url URL or --model NAME=provider/model"
        )


def _json(reply: Any) -> str:
    """Return the JSON text of a reply or chunk; empty if it is invalid."""
    try:
        return json.dumps(reply.model_dump(warnings=False), default=str)
    except MISSHAPEN:
        return ""


def _messages(message: Message) -> list[dict[str, Any]]:
    """Return a message in OpenAI's format, with litellm's own names where they differ."""
    messages = messages_of((message,))
    for said in messages:
        parts = said["content"]
        for part in parts if isinstance(parts, list) else ():
            file = part.get("file", {})
            if file.get("file_data", "").startswith("http"):
                file["file_id"] = file.pop("file_data")
    if message.role == "assistant" and not isinstance(message.content, str):
        thoughts = [
            {"type": "thinking", "thinking": part.text, "signature": part.signature}
            for part in message.content
            if isinstance(part, Reasoning) and part.signature
        ]
        if thoughts:
            messages[0]["thinking_blocks"] = thoughts
    return messages


def _body(error: Exception) -> str:
    """Return the endpoint's error body, as JSON if possible, without litellm's own words."""
    text, body = str(error), getattr(error, "body", None)
    if isinstance(body, Mapping):
        return json.dumps({"error": dict(body)}, default=str)
    inside = text[text.find("{") : text.rfind("}") + 1]
    try:
        json.loads(inside)
    except (ValueError, RecursionError):
        return text
    return inside


def _unsupported_settings(said: str) -> tuple[str, ...]:
    """Return the settings that litellm itself reports as unsupported."""
    listed = re.search(r"does not support parameters: ?\[([^\]]{0,2000})\]", said)
    return tuple(re.findall(r"['\"](\w{1,80})['\"]", listed[1])) if listed else ()


def _failed_to_connect(error: BaseException) -> bool:
    """Return whether no connection was made, so that nothing was sent."""
    cause: BaseException | None = error
    for _ in range(12):
        if cause is None:
            return False
        if type(cause).__name__ in UNREACHED:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _headers(error: Exception) -> dict[str, str]:
    headers: dict[str, str] = {}
    response = getattr(error, "response", None)
    for place in (
        getattr(response, "headers", None),
        getattr(error, "litellm_response_headers", None),
    ):
        headers |= {str(key): str(value) for key, value in (place or {}).items()}
    return headers
