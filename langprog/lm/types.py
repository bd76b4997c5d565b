"""What a language model is asked, what it answers, and the one method between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from langprog.errors import InputError
from langprog.knobs import MOST_TOKENS, check_knobs, takes_number, takes_whole
from langprog.lm.finish import FINISH_REASONS, FinishReason, finish_reason_of
from langprog.lm.parts import PARTS, Content, ToolCall, text_of

if TYPE_CHECKING:
    from langprog.lm.budget import Ledger

    Accept = Callable[["Completion"], object]

Role = Literal["system", "user", "assistant", "tool"]
# Set from a request alone; what a user puts into ``extra`` under these names is refused.
OWN_MEMBERS = frozenset(
    {
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    }
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt.

    Args:
        role: Who speaks; ``tool`` for the results of tool calls.
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
        """The text of the content; its other parts left out."""
        return text_of(self.content)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask to have called.

    Args:
        name: Its name.
        description: What it does and when to use it.
        parameters: The JSON schema of its arguments, an object.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is drawn. ``None`` leaves a setting to the endpoint.

    A program stores a Sampling for every predictor, so it is part of the artifact.

    Args:
        temperature: 0 and up.
        max_tokens: The longest reply, in tokens; thinking counts where the endpoint counts it.
        top_p: Above 0 to 1.
        stop: Texts that end the reply.
        seed: Makes draws repeatable where the endpoint can.
        reasoning_effort: ``low``, ``medium``, ``high`` or another word that the endpoint knows.
        extra: Further members of the request's body, plain JSON, for what only some endpoints
            have (``{"top_k": 20}``).

    Raises:
        InputError: A setting is out of range, or a member of ``extra`` is one that langprog sets
            itself.
    """

    temperature: float | None = field(default=None, metadata=takes_number(0, 100))
    max_tokens: int | None = field(default=None, metadata=takes_whole(1, MOST_TOKENS))
    top_p: float | None = field(default=None, metadata=takes_number(0, 1, above=True))
    stop: tuple[str, ...] = ()
    seed: int | None = field(default=None, metadata=takes_whole(-(2**63), 2**63 - 1))
    reasoning_effort: str | None = None
    extra: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        check_knobs(self)
        if self.extra:
            _check_extra(self.extra)

    def over(self, other: Sampling) -> Sampling:
        """Return these settings, with ``other``'s wherever this one says nothing."""
        if other == _UNSET:
            return self
        return Sampling(
            temperature=other.temperature if self.temperature is None else self.temperature,
            max_tokens=other.max_tokens if self.max_tokens is None else self.max_tokens,
            top_p=other.top_p if self.top_p is None else self.top_p,
            stop=self.stop or other.stop,
            seed=other.seed if self.seed is None else self.seed,
            reasoning_effort=other.reasoning_effort
            if self.reasoning_effort is None
            else self.reasoning_effort,
            extra={**(other.extra or {}), **(self.extra or {})} or None,
        )


_UNSET = Sampling()


def _check_extra(extra: Mapping[str, Any]) -> None:
    # They would bypass budgets, the dialect and what reads the reply.
    taken = sorted(OWN_MEMBERS.intersection(extra))
    if taken:
        raise InputError(
            f"extra holds {taken[0]!r}, which langprog sets itself: use the setting of that name"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that decides a completion.

    Args:
        messages: The prompt; what stays the same across calls comes first.
        sampling: How the completion is drawn.
        n: Number of completions wanted from this one prompt.
        response_schema: A JSON schema that the reply should follow, where the endpoint can.
        logprobs: Whether log-probabilities of the chosen tokens are wanted.
        ledgers: Who pays; not part of what is asked (ignored by ``==`` and by the cache key).
        tools: What the model may ask to have called.
        tool_choice: ``auto``, ``none``, ``required`` or a tool's name; ``None`` leaves it to the
            endpoint.
        extra: Further members of the body, plain JSON, on top of the sampling's.
        headers: Further HTTP headers; never stored, and not part of the cache key.
        accept: Raises an error of ours where a completion is none that its reader can use: such
            a one is not served again from a cache. Not part of what is asked.
        optional: Settings that the library added itself (``temperature``, ``seed``): an endpoint
            that refuses one is asked without it, and nobody is warned.
        token_limit: The name under which this endpoint takes ``max_tokens``.
        stream_usage: Whether this endpoint says at the end of a stream what it took.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    n: int = field(default=1, metadata=takes_whole(1, 10_000))
    response_schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    ledgers: tuple[Ledger, ...] = field(default=(), compare=False, repr=False)
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    extra: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = field(default=None, compare=False, repr=False)
    accept: Accept | None = field(default=None, compare=False, repr=False)
    optional: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    token_limit: str = field(default="max_tokens", compare=False, repr=False)
    stream_usage: bool = field(default=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n != 1:  # every call makes a few requests
            check_knobs(self)
        if self.extra:
            _check_extra(self.extra)

    @property
    def payers(self) -> tuple[Ledger, ...]:
        """The ledgers, each of them once."""
        return tuple(dict.fromkeys(self.ledgers))

    def with_ledgers(self, ledgers: Sequence[Ledger]) -> Request:
        """Return the same request, paid by ``ledgers``."""
        return replace(self, ledgers=tuple(ledgers))

    def resolved(self, defaults: Sampling) -> Request:
        """Return the same request with its sampling in full: see :meth:`resolve`."""
        sampling = self.resolve(defaults)
        if sampling is self.sampling and not self.extra:
            return self
        return self.put(sampling, extra=None, ledgers=self.ledgers, optional=self.optional)

    def put(
        self,
        sampling: Sampling,
        *,
        extra: Mapping[str, Any] | None,
        ledgers: tuple[Ledger, ...],
        logprobs: bool = False,
        optional: frozenset[str],
    ) -> Request:
        """Return the same prompt as it is put to a model.

        Args:
            sampling: How the completion is drawn.
            extra: Members of the body on top of the sampling's.
            ledgers: Who pays.
            logprobs: Whether log-probabilities are wanted by others than the request itself.
            optional: Settings that the library added itself.
        """
        # Spelled out: every request passes here, and `replace` takes several times as long.
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
        )

    def resolve(self, defaults: Sampling) -> Sampling:
        """Return how the completion is drawn, with a model's defaults and this request's extra."""
        sampling = self.sampling.over(defaults)
        if not self.extra:
            return sampling
        return replace(sampling, extra={**(sampling.extra or {}), **self.extra})


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls, as the endpoint counted them.

    Args:
        prompt_tokens: Tokens of the prompt, cached ones among them.
        completion_tokens: Tokens of the reply, those of its thinking among them.
        cached_prompt_tokens: Tokens of the prompt that the endpoint had in its own cache.
        reasoning_tokens: Tokens of the reply that were thought and not said.
        cache_write_tokens: Tokens of the prompt that the endpoint put into its own cache, for
            which some charge more.
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


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    Args:
        texts: ``n`` completions.
        model: The model's name, as the program knows it (``provider/model``).
        usage: Tokens that the request took.
        finish_reasons: Why each text ended: ``stop``, ``length`` (it was cut off), ``tool_calls``,
            ``content_filter`` or ``error``. Other words of endpoints become one of these.
        logprobs: For each text the log-probability of every chosen token, where asked for.
        dollars: What the request cost, or ``None`` where no price is known.
        latency: Seconds from request to full answer (of the original call when cached).
        cached: Whether this answer was paid for earlier.
        tool_calls: For each text the tools that the model wants called; empty where it wants none
            with any of them.
        reasoning: For each text what the model thought before; empty where nothing is known.
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

    def __post_init__(self) -> None:
        # A model of a user's own may hand on the words of its endpoint.
        if not FINISH_REASONS.issuperset(self.finish_reasons):
            words = tuple(finish_reason_of(word) for word in self.finish_reasons)
            object.__setattr__(self, "finish_reasons", words)

    @property
    def text(self) -> str:
        """The first completion."""
        return self.texts[0]

    @property
    def finish_reason(self) -> FinishReason:
        """Why the first completion ended; ``stop`` where nothing is said."""
        return finish_reason_of(self.finish_reasons[0]) if self.finish_reasons else "stop"

    @property
    def first_tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wants called with the first completion."""
        return self.tool_calls[0] if self.tool_calls else ()

    @property
    def whole(self) -> bool:
        """Whether every text ended by itself: none was cut off, filtered or broken off."""
        return not _CUT.intersection(self.finish_reasons)


_CUT = frozenset({"length", "content_filter", "error"})


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that answers a Request; clients and wrappers share this shape, so they stack."""

    @property
    def name(self) -> str:
        """``provider/model``, as it stands in programs, artifacts and reports."""
        ...

    @property
    def endpoint(self) -> str:
        """Where requests go (a URL without secrets, or ``in-process``); part of the cache key."""
        ...

    @property
    def defaults(self) -> Sampling:
        """Sampling used where a request says nothing; part of what is asked."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: One of its subclasses, told apart by what a caller should do.
            BudgetExceeded: One of ``request.ledgers`` cannot take the call.
        """
        ...

    async def aclose(self) -> None:
        """Give back connections; the model can be used again afterwards."""
        ...
