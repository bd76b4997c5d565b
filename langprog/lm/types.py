"""Requests, completions, and the protocol of a language model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

from langprog.errors import InputError, LangprogError
from langprog.frozen import quick_init
from langprog.knobs import check_knobs, takes_whole
from langprog.lm.budget import Ledger
from langprog.lm.cost import Cost
from langprog.lm.finish import FINISH_REASONS, FinishReason, finish_reason_of
from langprog.lm.parts import PARTS, Content, Reasoning, ToolCall, text_of
from langprog.lm.sampling import Sampling, check_extra

Accept = Callable[["Completion"], object]
Sender = Callable[["LanguageModel", "Request"], Awaitable["Completion"]]
Role = Literal["system", "user", "assistant", "tool"]


@quick_init
@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt.

    Args:
        role: The speaker; ``tool`` for the results of tool calls.
        content: Text, or a tuple of parts (:mod:`langprog.lm.parts`).

    Raises:
        InputError: The content is neither.
    """

    role: Role
    content: Content

    def __post_init__(self) -> None:
        if isinstance(self.content, str):
            return
        if not isinstance(self.content, tuple) or not all(
            isinstance(part, PARTS) for part in self.content
        ):
            raise InputError(
                "a message's content is text or a tuple of parts such as lp.lm.Text, "
                f"not {type(self.content).__name__}"
            )

    @property
    def text(self) -> str:
        """The text of the content, without its other parts."""
        return text_of(self.content)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function that a model may call.

    Args:
        name: Its name.
        description: What it does and when to use it.
        parameters: The JSON schema of its arguments (of type object).
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )


@dataclass(frozen=True, slots=True)
class WithoutTools:
    """The form of a request for an endpoint that does not accept tools.

    Args:
        messages: The prompt, which describes the tools in words.
        response_schema: As for the request.
    """

    messages: tuple[Message, ...]
    response_schema: Mapping[str, Any] | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class Request:
    """Everything that determines a completion.

    Args:
        messages: The prompt; parts that are the same in every call come first.
        sampling: How the completion is drawn.
        n: Number of completions to draw from this prompt.
        response_schema: A JSON schema that the reply should follow, if the endpoint supports it.
        logprobs: Whether to return log-probabilities of the chosen tokens.
        ledgers: The ledgers that pay; ignored by ``==`` and by the cache key.
        tools: The tools that the model may call.
        tool_choice: ``auto``, ``none``, ``required`` or a tool's name; ``None`` leaves it to the
            endpoint.
        extra: Additional members of the body, plain JSON, on top of the sampling's.
        headers: Additional HTTP headers; never stored, and not part of the cache key.
        accept: Raises a langprog error if the caller cannot use a completion; such a completion
            is never served from a cache. Not part of the cache key.
        optional: Settings that the library added itself (``temperature``, ``seed``); if an
            endpoint rejects one, it is dropped without a warning.
        token_limit: The name by which this endpoint knows ``max_tokens``.
        stream_usage: Whether this endpoint reports usage at the end of a stream.
        without_tools: What to send if the endpoint does not accept tools; if there is nothing,
            that is an error. Not part of the cache key.
        sender: Has a model's client answer the request elsewhere, once it is paid for; ``None``
            to call the client. Not part of the cache key.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    n: int = field(default=1, metadata=takes_whole(1, 10_000))
    response_schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    ledgers: tuple[Ledger, ...] = field(default=(), compare=False, repr=False)
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    extra: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = field(default=None, compare=False, repr=False)
    accept: Accept | None = field(default=None, compare=False, repr=False)
    optional: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    token_limit: str = field(default="max_tokens", compare=False, repr=False)
    stream_usage: bool = field(default=True, compare=False, repr=False)
    without_tools: WithoutTools | None = field(default=None, compare=False, repr=False)
    sender: Sender | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n != 1:  # every call makes a few requests
            check_knobs(self)
        if self.extra:
            check_extra(self.extra)

    @property
    def payers(self) -> tuple[Ledger, ...]:
        """The ledgers, without duplicates."""
        return tuple(dict.fromkeys(self.ledgers))

    def hold_nothing(self) -> None:
        """Return what the ledgers hold for calls to come, as others may wait for it."""
        for ledger in self.payers:
            ledger.release()

    def accepts(self, completion: Completion) -> bool:
        """Return whether the caller can use a completion."""
        if self.accept is not None:
            try:
                self.accept(completion)
            except LangprogError:
                return False
        return True

    def with_ledgers(self, ledgers: Sequence[Ledger]) -> Request:
        """Return the same request, charged to ``ledgers``."""
        return replace(self, ledgers=tuple(ledgers))

    def with_defaults(self, defaults: Sampling) -> Request:
        """Return the same request with its sampling filled in; see :meth:`resolve`."""
        sampling = self.resolve(defaults)
        if sampling is self.sampling and not self.extra:
            return self
        return self.with_settings(
            sampling, extra=None, ledgers=self.ledgers, optional=self.optional
        )

    def with_settings(
        self,
        sampling: Sampling,
        *,
        extra: Mapping[str, Any] | None,
        ledgers: tuple[Ledger, ...],
        logprobs: bool = False,
        optional: frozenset[str],
    ) -> Request:
        """Return the same prompt with the settings of one call.

        Args:
            sampling: How the completion is drawn.
            extra: Members of the body on top of the sampling's.
            ledgers: The ledgers that pay.
            logprobs: Whether someone other than the request needs log-probabilities.
            optional: Settings that the library added itself.
        """
        # Spelled out because every request passes here and `replace` is several times slower.
        return Request(
            self.messages,
            sampling,
            self.n,
            self.response_schema,
            self.logprobs or logprobs,
            ledgers,
            self.tools,
            self.tool_choice,
            extra,
            self.headers,
            self.accept,
            optional,
            self.token_limit,
            self.stream_usage,
            self.without_tools,
            self.sender,
        )

    def resolve(self, defaults: Sampling) -> Sampling:
        """Return the sampling with the model's defaults and this request's extra filled in."""
        sampling = self.sampling.over(defaults)
        if not self.extra:
            return sampling
        return replace(sampling, extra={**(sampling.extra or {}), **self.extra})


@quick_init
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls, as the endpoint counted them.

    Args:
        prompt_tokens: Prompt tokens, including cached ones.
        completion_tokens: Reply tokens, including reasoning.
        cached_prompt_tokens: Prompt tokens read from the endpoint's own cache.
        reasoning_tokens: Reply tokens spent on reasoning.
        cache_write_tokens: Prompt tokens written to the endpoint's own cache, for which some
            endpoints charge more.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_prompt_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_prompt_tokens + other.cached_prompt_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


# A call of an unknown time, as a cache remembers it.
FROM_CACHE = "a cache"


@quick_init
@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer.

    Args:
        texts: ``n`` completions.
        model: The model's name, as the program knows it (``provider/model``).
        usage: Tokens that the request used.
        finish_reasons: Why each text ended: ``stop``, ``length`` (cut off), ``tool_calls``,
            ``content_filter`` or ``error``. Other values of endpoints are mapped to these.
        logprobs: For each text, the log-probability of every chosen token, if requested.
        dollars: What the request cost; ``None`` without a known price.
        latency: Seconds from request to full answer (of the original call if cached).
        cached: Whether this answer was paid for earlier.
        tool_calls: For each text, the tool calls; empty if there are none at all.
        reasoning: For each text, the model's reasoning; empty if none is known.
        timed_in: Where ``latency`` comes from: empty for a call of this session, else the name of
            an earlier session of a journal, or ``FROM_CACHE``. It is not stored.
        priced_in: The same for ``dollars``; empty also where today's price was applied again.
        without_tools: Whether the request was answered in its form without tools.
        signatures: For each text, the endpoint's proof that the reasoning is its own; empty if it
            gives none. Such reasoning is sent back together with it.
    """

    texts: tuple[str, ...]
    model: str
    usage: Usage = Usage()
    finish_reasons: tuple[str, ...] = ()
    logprobs: tuple[tuple[float, ...], ...] | None = None
    dollars: float | None = None
    latency: float = 0.0
    cached: bool = False
    tool_calls: tuple[tuple[ToolCall, ...], ...] = ()
    reasoning: tuple[str, ...] = ()
    timed_in: str = field(default="", compare=False)
    priced_in: str = field(default="", compare=False)
    without_tools: bool = False
    signatures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A user's own model may pass on its endpoint's own values.
        if not FINISH_REASONS.issuperset(self.finish_reasons):
            words = tuple(finish_reason_of(word) for word in self.finish_reasons)
            object.__setattr__(self, "finish_reasons", words)

    @property
    def text(self) -> str:
        """The first completion."""
        return self.texts[0]

    @property
    def finish_reason(self) -> FinishReason:
        """Why the first completion ended; ``stop`` if unknown."""
        return finish_reason_of(self.finish_reasons[0]) if self.finish_reasons else "stop"

    @property
    def first_tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the first completion."""
        return self.tool_calls[0] if self.tool_calls else ()

    @property
    def first_reasoning(self) -> Reasoning | None:
        """The reasoning of the first completion, as a part of a message; ``None`` without one."""
        if not self.reasoning or not self.reasoning[0]:
            return None
        return Reasoning(self.reasoning[0], self.signatures[0] if self.signatures else "")

    @property
    def cost(self) -> Cost:
        """What the request cost: one call, its tokens and its dollars (0 if not known)."""
        return Cost(1, self.usage.total_tokens, self.dollars or 0.0)

    @property
    def whole(self) -> bool:
        """Whether every text ended normally: not cut off, filtered or interrupted."""
        return not _CUT.intersection(self.finish_reasons)


_CUT = frozenset({"length", "content_filter", "error"})


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that answers a Request; clients and wrappers share this protocol, so they stack."""

    @property
    def name(self) -> str:
        """``provider/model``, as programs, artifacts and reports name it."""
        ...

    @property
    def endpoint(self) -> str:
        """Where requests go (a URL without secrets, or ``in-process``); part of the cache key."""
        ...

    @property
    def defaults(self) -> Sampling:
        """Sampling for what a request leaves open; part of the cache key."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: One of its subclasses, by what a caller should do about it.
            BudgetExceeded: One of ``request.ledgers`` cannot afford the call.
        """
        ...

    async def aclose(self) -> None:
        """Close connections; the model can be used again afterwards."""
        ...
