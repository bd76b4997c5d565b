"""A metric that runs a program's text: code, a policy or a template that a search writes.

Follows: the evaluators of Barbarians at the Gate: How AI is Upending Systems Research (Cheng et
al., 2025; ADRS), simulators that score a generated program on a workload.
Differs: evaluator and generated code run in two sandboxes, so that code which tampers with its
score cannot reach what computes it; a score is that of one workload, so that a compile certifies
the gain on workloads that the search has not seen.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import socket
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from pydantic_core import to_jsonable_python

from langprog.errors import CodeError, InputError, MetricError, SandboxError
from langprog.evaluation.ranges import UNIT, Range, check_range
from langprog.evaluation.score import Score, as_score
from langprog.example import Example
from langprog.modules import Prediction
from langprog.sandbox import Code, Sandbox


class ScoreMemo(Protocol):
    """Keeps scores that are known, so that a workload is not evaluated twice."""

    def get_score(self, key: str) -> Any:
        """Return what was put under a key, or ``None``."""
        ...

    def put_score(self, key: str, result: Any) -> None:
        """Keep a result, which is JSON."""
        ...


class Evaluator:
    """A metric that runs in a sandbox, and loads the text that it scores into another one.

    The function gets the example and the prediction as dicts, and ``load``. ``load(text)`` runs a
    text as Python code in a sandbox of its own; functions of it are called by name, with arguments
    and results that are JSON::

        def evaluate(example, prediction, load):
            policy = load(prediction["code"])
            misses = 0
            for step in example["trace"]:
                misses += policy.call("evict", step) == step
            return {"score": 1 / (1 + misses), "feedback": f"{misses} misses"}

        metric = lp.Evaluator(evaluate)

    Where the loaded code raises, is too slow or takes too much memory, or the evaluator raises on
    what it returned, the score is the worst of the range and the message is the feedback. An error
    of the evaluator before it has loaded code is the metric's own.
    A score should depend on nothing but its arguments: count steps rather than seconds.

    Args:
        source: A function that uses only what it imports itself, or the path of a Python file.
        function: The function's name in the file.
        sandbox: The limits of each of the two sandboxes.
        range: The worst and the best score.

    Raises:
        InputError: The function cannot be sent to a sandbox, or the file cannot be read.
    """

    def __init__(
        self,
        source: Callable[..., Any] | str | os.PathLike[str],
        *,
        function: str = "evaluate",
        sandbox: Sandbox | None = None,
        range: Range = UNIT,
    ) -> None:
        self._source, self._function = _read_source(source, function)
        self._sandbox = sandbox or Sandbox()
        self.score_range = check_range(range)
        self.__qualname__ = f"Evaluator({self._function})"
        self._memo: ScoreMemo | None = None

    def with_memo(self, memo: ScoreMemo) -> Self:
        """Return an evaluator that asks ``memo`` first."""
        new = type(self).__new__(type(self))
        vars(new).update(vars(self))
        new._memo = memo
        return new

    @property
    def identity(self) -> list[Any]:
        """What its scores depend on, as JSON."""
        limits = self._sandbox
        own = [self._source, self._function, list(self.score_range)]
        return [*own, limits.seconds, limits.memory, limits.output, limits.packages]

    def __call__(self, example: Example, prediction: Prediction) -> Score:
        """Score what a program returned.

        Raises:
            MetricError: There is no sandbox here, or the evaluator returns what is not a score.
            CodeError: The evaluator itself failed.
        """
        values = [_plain(example), _plain(prediction)]
        memo = self._memo
        known = None if memo is None else memo.get_score(key := _key(self.identity, values))
        if known is not None:
            return Score(known[0], known[1])
        score = self._score(values)
        if memo is not None:
            memo.put_score(key, [score.value, score.feedback])
        return score

    def _score(self, values: list[Any]) -> Score:
        ours, theirs = socket.socketpair()
        try:
            with ours, theirs, Code(self._sandbox, ours) as code:
                ours.close()
                with Code(self._sandbox, channel=theirs):
                    theirs.close()
                    code.load(self._source)
                    return as_score(code.call_loading(self._function, *values))
        except SandboxError as error:
            raise MetricError(str(error)) from None
        except CodeError as error:
            if error.loaded:
                return Score(self.score_range[0], str(error))
            raise CodeError(f"the evaluator {self._function} failed: {error}") from None

    def __repr__(self) -> str:
        return self.__qualname__


def _read_source(
    source: Callable[..., Any] | str | os.PathLike[str], function: str
) -> tuple[str, str]:
    if isinstance(source, (str, os.PathLike)):
        try:
            return Path(source).read_text(encoding="utf-8"), function
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"the evaluator {os.fspath(source)} cannot be read: {error}"
            ) from None
    name = getattr(source, "__name__", "<lambda>")
    try:
        text = textwrap.dedent(inspect.getsource(source))
    except (OSError, TypeError):
        text = ""
    if not text.startswith(("def ", "@")) or getattr(source, "__closure__", None):
        raise InputError(
            f"the evaluator {name} cannot be sent to a sandbox: pass a function that is written "
            "with def and uses only what it imports itself, or the path of a file"
        )
    return text, name


def _plain(values: Mapping[str, Any]) -> Any:
    return to_jsonable_python(dict(values.items()))


def _key(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
