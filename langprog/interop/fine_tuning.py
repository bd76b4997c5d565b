"""OpenAI's fine-tuning JSONL: the calls of runs that a metric accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from langprog.adapters import Adapter, TemplateAdapter, write_reply
from langprog.errors import InputError
from langprog.evaluation import Report, Row
from langprog.example import Example
from langprog.interop.contract import Exported
from langprog.interop.messages import adapter_name, plain_messages, plain_tools
from langprog.lm import Completion, Message, Part, Text
from langprog.modules import Module, Predict, TraceStep

WRITES: Mapping[str, str] = MappingProxyType(
    {"threshold": "the lowest score of a run that is taken; 1 by default"}
)


def write_fine_tuning(
    program: Module, options: Mapping[str, str], report: Report | None
) -> Exported:
    """Write the file, for ``langprog export``."""
    assert report is not None
    try:
        threshold = float(options.get("threshold", "1"))
    except ValueError:
        raise InputError(f"threshold is a number, not {options['threshold']!r:.40}") from None
    text = to_fine_tuning(program, report, threshold=threshold)
    taken = sum(_is_accepted(row, threshold) for row in report.rows)
    notes = [f"{text.count(chr(10)):,} calls of {taken:,} of {len(report.rows):,} rows"]
    missing = sum(row.score is None for row in report.rows)
    if missing:
        notes.append(f"{missing:,} rows have no score, as their calls did not arrive")
    return Exported(text, tuple(notes))


def to_fine_tuning(program: Module, report: Report, *, threshold: float = 1.0) -> str:
    """Return the accepted runs of an evaluation as JSONL for fine-tuning.

    Each call of a predictor is a line with ``messages``: its prompt, and its outputs as the
    program's demonstrations show them; for calls of tools, the reply as it was. Equal lines are
    written once.

    Args:
        program: The program that was evaluated.
        report: Its evaluation, ``lp.evaluate(program, rows, metric)``.
        threshold: The lowest score of a run that is taken.

    Raises:
        InputError: No run has that score.
    """
    lines = dict.fromkeys(
        json.dumps(line, ensure_ascii=False)
        for row in report.rows
        if _is_accepted(row, threshold)
        for line in _lines(program, row)
    )
    if not lines:
        raise InputError(
            f"none of the {len(report.rows):,} rows has a score of {threshold:g} or more, so "
            "there is nothing to learn from"
        )
    return "".join(f"{line}\n" for line in lines)


def _is_accepted(row: Row, threshold: float) -> bool:
    scored = row.failure is None and row.score is not None
    return bool(scored and row.score and row.score.value >= threshold)


def _lines(program: Module, row: Row) -> Iterator[dict[str, Any]]:
    predictors = program.predictors()
    for step in row.trace:
        predictor = predictors.get(step.path) if step.listed else None
        if predictor is None or step.failure is not None or not step.messages:
            continue
        messages = (*step.messages, _reply(predictor, step))
        line: dict[str, Any] = {"messages": plain_messages(messages)}
        tools = predictor.request_for(step.inputs).tools
        yield {**line, "tools": plain_tools(tools)} if tools else line


def _reply(predictor: Predict, step: TraceStep) -> Message:
    adapter = predictor.adapter_in_force()
    text = answer_text(adapter, predictor, step.inputs, step.outputs)
    if text is not None:
        return Message("assistant", text)
    return _as_message(step.completions[-1])


def answer_text(
    adapter: Adapter, predictor: Predict, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> str | None:
    """Return outputs as a demonstration shows them; ``None`` where that is not one text."""
    signature = predictor.signature
    demo = Example(**{**inputs, **outputs})
    if isinstance(adapter, TemplateAdapter):
        return write_reply(signature, demo)
    if adapter_name(adapter) not in ("chat", "json", "xml") or not signature.asks_in_text:
        return None
    content = adapter.render(signature, (demo,), inputs)[-2].content
    return content if isinstance(content, str) else None


def _as_message(completion: Completion) -> Message:
    calls = completion.first_tool_calls
    if not calls:
        return Message("assistant", completion.text)
    spoken: tuple[Part, ...] = (Text(completion.text),) if completion.text.strip() else ()
    return Message("assistant", (*spoken, *calls))
