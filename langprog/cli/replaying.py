"""Models that answer only what is on record: in a compile's journal, or in a batch's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from langprog.errors import ConnectError, InputError
from langprog.example import Example
from langprog.interop import answer_text, only_predictor, read_json_lines
from langprog.lm import (
    CallMemo,
    Completion,
    LanguageModel,
    Message,
    Request,
    Wrapper,
    request_key,
)
from langprog.modules import Module

Prompt = tuple[Message, ...]


class FromJournal(Wrapper):
    """Answers from a compile's journal; a call that is not in it fails, and costs nothing.

    Args:
        inner: The model that was called.
        calls: The calls of the journal.
    """

    def __init__(self, inner: LanguageModel, calls: CallMemo) -> None:
        super().__init__(inner)
        self._calls = calls

    async def complete(self, request: Request) -> Completion:
        """Return the recorded completion.

        Raises:
            ConnectError: There is none.
        """
        known = self._calls.get(request_key(self.inner, request))
        if known is None:
            raise ConnectError("the journal does not have this call", model=self.name)
        return known


class FromBatch(Wrapper):
    """Answers with the outputs of a batch.

    Args:
        inner: The model that was called.
        answers: The replies by prompt.
    """

    def __init__(self, inner: LanguageModel, answers: Mapping[Prompt, str]) -> None:
        super().__init__(inner)
        self._answers = answers

    async def complete(self, request: Request) -> Completion:
        """Return the reply of a batch.

        Raises:
            ConnectError: The batch has none for this prompt.
        """
        text = self._answers.get(request.messages)
        if text is None:
            raise ConnectError("the batch has no outputs for this prompt", model=self.name)
        return Completion((text,), self.name, cached=True)


def read_answers(
    program: Module, examples: Sequence[Example], path: str | Path
) -> dict[Prompt, str]:
    """Return the replies that a batch's results stand for, by prompt.

    Args:
        program: The program that was run; it has one predictor.
        examples: The rows that were put in, in their order.
        path: The results, as JSONL.

    Raises:
        InputError: The program has several predictors or calls tools, the file does not hold
            results of these rows, or a result lacks an output that the prompt asks for.
    """
    predictor = only_predictor(program, "a batch keeps no inner calls; leave --batch out")
    signature, adapter = predictor.signature, predictor.adapter_in_force()
    answers: dict[Prompt, str] = {}
    for place, record in read_json_lines(path):
        number, outputs = record.get("row"), record.get("outputs")
        if not isinstance(number, int) or not {"key", "outputs", "failure"} & record.keys():
            raise InputError(f"{place}: it is not a result of langprog run --batch --out x.jsonl")
        if not isinstance(outputs, dict):
            continue
        if not 1 <= number <= len(examples):
            raise InputError(
                f"{place}: it is row {number}, but --data has {len(examples)}: give the rows that "
                "the batch was run on"
            )
        missing = [name for name in signature.outputs if name not in outputs]
        if missing:
            raise InputError(
                f"{place}: it lacks {missing[0]!r}, which the prompt asks for: leave --batch out"
            )
        example = examples[number - 1]
        inputs = predictor.check_inputs(
            {name: example[name] for name in signature.inputs if name in example}
        )
        typed = {name: field.from_row(outputs[name]) for name, field in signature.outputs.items()}
        text = answer_text(adapter, predictor, inputs, typed)
        if text is None:
            raise InputError("the replies of this program are not texts alone: leave --batch out")
        answers[predictor.request_for(inputs).messages] = text
    return answers
