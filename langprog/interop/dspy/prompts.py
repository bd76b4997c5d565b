"""Prompts as DSPy's adapter renders them, without a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dspy

from langprog.adapters import Adapter
from langprog.errors import InputError
from langprog.example import Example
from langprog.interop.dspy.errors import as_ours
from langprog.interop.dspy.lm import BridgeLM
from langprog.lm import Completion, Message, ModelRef, Request
from langprog.signature import SignatureSpec


class _Rendered(BaseException):
    """Ends an adapter's call at the point where it would call the model."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class _Capturing(BridgeLM):
    """A model that takes the prompt and answers nothing."""

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> list[Any]:
        """Raise the request."""
        raise _Rendered(self._request(prompt, messages, kwargs))


class DSPyAdapter(Adapter):
    """An adapter of DSPy, as what decides the prompts of one predictor of a DSPy program.

    Args:
        inner: The adapter.
        signature: DSPy's signature of the predictor.
    """

    def __init__(self, inner: Any, signature: Any) -> None:
        self.inner = inner
        self._signature = signature

    @property
    def name(self) -> str:
        """``dspy.`` and the name of its class."""
        return f"dspy.{type(self.inner).__name__}"

    def signature_with(self, instruction: str) -> Any:
        """Return DSPy's signature with an instruction."""
        known = self._signature
        return known if known.instructions == instruction else known.with_instructions(instruction)

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return the prompt, as DSPy's adapter renders it."""
        shown = [dspy.Example(**demo) for demo in demos]
        return self.render_shown(self.signature_with(signature.instruction), shown, inputs, None)

    def render_shown(
        self,
        signature: Any,
        demos: Sequence[Any],
        inputs: Mapping[str, Any],
        model: str | ModelRef | None,
    ) -> tuple[Message, ...]:
        """Return the prompt of a signature and demonstrations of DSPy.

        Args:
            signature: The signature.
            demos: The demonstrations.
            inputs: The inputs by name.
            model: The model that it is for, as its abilities may decide about the form.

        Raises:
            InputError: The adapter answers without a model.
        """
        try:
            self.inner(_Capturing(model, {}), {}, signature, list(demos), dict(inputs))
        except _Rendered as rendered:
            return rendered.request.messages
        raise InputError(f"{self.name} answers without calling a model: it renders no prompt")

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs, as DSPy's adapter reads them."""
        try:
            outputs: dict[str, Any] = self.inner.parse(
                self.signature_with(signature.instruction), completion.text
            )
        except dspy.AdapterParseError as error:
            raise as_ours(error) from error
        return outputs
