"""Reading a completion: the outputs of a signature, or an error of the right kind."""

from __future__ import annotations

import re
from typing import Any

from langprog.adapters import Adapter, PartialReader, json_text
from langprog.errors import (
    BadRequestError,
    ContentFilterError,
    InputError,
    LangprogError,
    ParseError,
    ServerError,
    TruncatedError,
)
from langprog.lm import Completion, Request
from langprog.observe import AdapterStarted
from langprog.runtime import observe_call
from langprog.signature import FieldSpec, SignatureSpec

# A surrogate, or the escape of one: mostly of a whole pair.
_HALF = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_ABOUT_TOOLS = re.compile(r"tool|function")


class Reading:
    """Reads the replies to one prompt, each of them once.

    Args:
        adapter: The adapter that rendered the prompt.
        signature: The signature with the outputs to read.
        observed: Whether callbacks are told of it.
    """

    _known: tuple[Completion, dict[str, Any] | LangprogError] | None = None

    def __init__(
        self, adapter: Adapter, signature: SignatureSpec, *, observed: bool = False
    ) -> None:
        self._adapter = adapter
        self.signature = signature
        self._observed = observed

    def __call__(self, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            TruncatedError: The reply was cut off at the token limit.
            ContentFilterError: The provider refused the content.
            ServerError: The endpoint interrupted the reply.
            ParseError: The reply cannot be read as the outputs.
        """
        if self._known is None or not _is_same(self._known[0], completion):
            self._known = (completion, self._read(completion))
        outcome = self._known[1]
        if isinstance(outcome, LangprogError):
            raise outcome
        return outcome

    def stream_reader(self) -> PartialReader | None:
        """Return a reader of a reply's pieces, if the adapter has one."""
        # An adapter need not derive from Adapter.
        make = getattr(self._adapter, "stream_reader", None)
        reader: PartialReader | None = None if make is None else make(self.signature)
        return reader

    def _read(self, completion: Completion) -> dict[str, Any] | LangprogError:
        broken = find_cut(completion)
        if broken is not None:
            return broken
        calls = completion.tool_calls and completion.first_tool_calls
        if calls and not completion.text.strip() and not self._adapter.tools(self.signature):
            return ParseError(f"it calls the tool {calls[0].name!r} instead of replying")
        try:
            if self._observed:
                return self._parse_observed(completion)
            return self._parse(completion)
        except ParseError as error:
            if calls and not self._adapter.tools(self.signature):
                return ParseError(
                    f"{error.args[0]}; it also calls the tool {calls[0].name!r}", text=error.text
                )
            return error

    def _parse_observed(self, completion: Completion) -> dict[str, Any]:
        with observe_call(
            "adapter",
            lambda call, parent, path: AdapterStarted(
                call, parent, path, "parse", self._adapter.name, completion
            ),
        ) as finish:
            outputs = self._parse(completion)
            finish(outputs)
        return outputs

    def _parse(self, completion: Completion) -> dict[str, Any]:
        outputs = self._adapter.parse(self.signature, completion)
        if _may_hold_halves(completion):
            for name, value in outputs.items():
                _check_whole(self.signature.outputs[name], value)
        return outputs


def _is_same(first: Completion, second: Completion) -> bool:
    # Wrappers pass on copies that share the endpoint's reply.
    return (
        first.texts is second.texts
        and first.tool_calls is second.tool_calls
        and first.finish_reasons == second.finish_reasons
    )


def _may_hold_halves(completion: Completion) -> bool:
    """Return whether values may hold half of a character, which no later prompt could carry."""
    text = completion.texts[0]
    if (not text.isascii() or "\\u" in text) and _HALF.search(text):
        return True
    if not completion.tool_calls:
        return False
    return any(_HALF.search(call.arguments) for call in completion.first_tool_calls)


def _check_whole(field: FieldSpec, value: Any) -> None:
    try:
        plain = field.plain(value)
    except InputError:  # nothing that a prompt could show
        return
    try:
        json_text(plain)
    except InputError:
        raise ParseError(f"{field.name!r} does not fit: it holds half of a character") from None


def find_cut(completion: Completion) -> LangprogError | None:
    """Return the error of a reply that was cut off, filtered or interrupted, if it was."""
    if not completion.finish_reasons:  # of most models in the same process
        return None
    name, reason = completion.model, completion.finish_reason
    if reason == "length":
        return TruncatedError(_cut_off_message(completion), model=name, text=completion.text)
    if reason == "content_filter":
        return ContentFilterError(f"{name}: the content was refused", model=name)
    if reason == "error":
        return ServerError(f"{name}: the endpoint broke off the reply", model=name)
    return None


def _cut_off_message(completion: Completion) -> str:
    usage = completion.usage
    after = f" after {usage.completion_tokens} tokens" if usage.completion_tokens else ""
    thinking = any(completion.reasoning) or usage.reasoning_tokens > 0
    spent = ", all of them spent on reasoning" if thinking and not completion.text.strip() else ""
    return (
        f"{completion.model}: the reply was cut off at the token limit{after}{spent}: raise "
        "max_tokens (of lp.LM or the predictor), or ask for a shorter reply"
    )


def explain_refusal(error: BadRequestError, request: Request) -> BadRequestError:
    """Return the error, with advice if it is about the adapter's tools."""
    if not request.tools or not _ABOUT_TOOLS.search(f"{error.said} {' '.join(error.params)}"):
        return error
    return BadRequestError(
        f"{error}; this endpoint does not accept the adapter's tools: use adapter='json' or "
        "adapter='chat'",
        model=error.model,
        charge=error.charge,
        said=error.said,
        params=error.params,
    )
