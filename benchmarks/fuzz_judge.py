"""Judging a mutant: load and render it, and detect forbidden actions."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import langprog as lp
from benchmarks import fuzz_originals
from langprog.adapters import ADAPTERS, adapter_named
from langprog.artifact import sample_values
from langprog.errors import ArtifactError

_MOST_SAMPLES = 9
_REPEATING = ("k", "width", "depth", "branch", "max_steps", "attempts", "reasks")
# Seconds of processor time that one mutant may take.
LONGEST = 20.0
_HANDED: tuple[tuple[Any, ...], ...] = (
    (),
    (),
    (fuzz_originals.Own, fuzz_originals.Counted),
    (fuzz_originals.Team, fuzz_originals.Invoice, fuzz_originals.Level, fuzz_originals.Point),
)
# What is handed over to artifacts that have its name; what an artifact does not name is refused.
_NAMED: dict[bytes, dict[str, Any]] = {
    b"count_words": {"tools": [fuzz_originals.count_words]},
    b"is_short": {"checks": {"is_short": fuzz_originals.is_short}},
    b"capitals": {"retrievers": {"capitals": fuzz_originals.CORPUS}},
}
_ALLOWED = ("benchmarks.fuzz_originals",)

# Audit events of running code, writing files, and communication outside the process.
_FORBIDDEN = (
    *("compile", "exec", "marshal.", "pickle.", "ctypes.", "socket.", "subprocess.", "urllib."),
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.remove", "os.rename"),
    *("os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate"),
    *("shutil.", "pty.", "ftplib.", "smtplib.", "webbrowser.", "import"),
)
# Both generate methods as source text, from names that they have checked.
_TRUSTED = (os.sep + "dataclasses.py", os.path.join(os.sep, "collections", "__init__.py"))
_IMPORTING = "<frozen importlib"
_IMPORTS = os.sep + os.path.join("artifact", "classes.py")


class Hang(BaseException):
    """A mutant took longer than allowed."""


class Watch:
    """An audit hook that records what mutants do; a process can have only one.

    Attributes:
        acts: Forbidden actions so far.
    """

    def __init__(self) -> None:
        self.acts: list[str] = []
        self._on = self._learning = False
        self._known: set[object] = set()
        sys.addaudithook(self._hear)
        signal.signal(signal.SIGVTALRM, _stop)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Record what happens inside, and end it when it takes too long."""
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
        self._on = True
        try:
            yield
        finally:
            self._on = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    @contextmanager
    def allow(self) -> Iterator[None]:
        """Allow what happens inside from now on.

        Unchanged artifacts are loaded inside, which reads annotations and source of the classes
        that are passed to ``load``.
        """
        self._learning = True
        try:
            with self.watch():
                yield
        finally:
            self._learning = False
            self.acts.clear()

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            writing = arguments[1] and set(str(arguments[1])) & set("wax+")
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if writing or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.acts.append(f"open {arguments!r:.200}")
        elif event.startswith(_FORBIDDEN) and not _is_trusted(event, sys._getframe(1)):
            if self._learning:
                self._known.add(_code(arguments))
            elif _code(arguments) not in self._known:
                self.acts.append(f"{event} {arguments!r:.200}")


def _code(arguments: tuple[Any, ...]) -> object:
    # Source text that is compiled, or its code object.
    first = arguments[0] if arguments else None
    if isinstance(first, CodeType):
        return (first.co_code, first.co_names, repr(first.co_consts))
    return first


def _stop(*_: object) -> None:
    raise Hang


def _is_trusted(event: str, frame: FrameType | None) -> bool:
    if frame is None:
        return False
    file = frame.f_code.co_filename
    if event != "import" and not file.startswith(_IMPORTING):
        return file.endswith(_TRUSTED)
    # Python's own late imports are fine; imports of users' classes are not.
    while frame is not None:
        if frame.f_code.co_filename.endswith(_IMPORTS):
            return False
        frame = frame.f_back
    return True


def learn(watch: Watch) -> None:
    """Load the unchanged artifacts, with every set of classes that mutants get."""
    with tempfile.TemporaryDirectory() as folder, watch.allow():
        path = Path(folder) / "original.json"
        for text in fuzz_originals.make_originals():
            path.write_text(text, encoding="utf-8")
            for handed in dict.fromkeys(_HANDED):
                for allowed in ((), _ALLOWED):
                    _outcome(path, handed, allowed)


def judge(watch: Watch, path: Path, number: int) -> tuple[str, str]:
    """Load a mutant and render its prompts.

    Args:
        watch: The audit hook.
        path: The mutant's file.
        number: Its number, which decides which classes are passed to ``load``.

    Returns:
        The outcome (``rendered``, or the name of the error), and a description of the rule that
        it broke, or an empty text.
    """
    handed = _HANDED[number // 7 % len(_HANDED)]
    allowed = _ALLOWED if number % 5 == 0 else ()
    before = len(watch.acts)
    try:
        with watch.watch():
            outcome, trouble = _outcome(path, handed, allowed)
    except Hang as error:
        outcome, trouble = "hang", _where(error)
    if len(watch.acts) > before:
        return "execution", "; ".join(watch.acts[before:])
    return outcome, trouble


def _outcome(path: Path, handed: tuple[Any, ...], allowed: tuple[str, ...]) -> tuple[str, str]:
    stage = "load"
    try:
        named = _list_named(path.read_bytes()) if handed or allowed else {}
        program = lp.load(path, handed, allowed, **named)
        stage = "use"
        _render(program)
        _call(program)
    except ArtifactError as error:
        message = str(error)
        clean = message.isprintable() and len(message) <= 600 and stage == "load"
        return "ArtifactError", "" if clean else f"{stage}: {message!r:.700}"
    except lp.LangprogError as error:
        clean = stage == "use"
        return f"{type(error).__name__} on use", "" if clean else f"{stage}: {error!r:.300}"
    except Exception as error:  # noqa: BLE001 - the benchmark looks for any other exception
        return f"{type(error).__name__} at {stage}", f"{error!r:.200} {_where(error)}"
    return "rendered", ""


def _list_named(content: bytes) -> dict[str, Any]:
    """Return the keywords of ``load`` that hand over what an artifact names."""
    keywords: dict[str, Any] = {}
    for name, given in _NAMED.items():
        if name in content:
            keywords |= given
    return keywords


def _where(error: BaseException) -> str:
    # By hand: traceback would read and compile source lines, which the audit hook would record.
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    codes = [frame.f_code for frame in frames[-8:]]
    places = ["/".join([*Path(code.co_filename).parts[-2:], code.co_name]) for code in codes]
    return " > ".join(places)


def _render(program: lp.Module) -> None:
    program.parameters()
    for predictor in program.predictors().values():
        signature = predictor.signature
        for name in [predictor.adapter] if predictor.adapter else ADAPTERS:
            adapter_named(name).response_schema(signature)
        samples = {name: sample_values(field) for name, field in signature.inputs.items()}
        if all(samples.values()):
            with lp.using(adapter="chat"):
                predictor.render({name: values[0] for name, values in samples.items()})


def _call(program: lp.Module) -> None:
    """Call a program once, with a model that answers with sample values."""
    settings = [vars(module) for module in program.named_modules().values()]
    repeated = [each.get(name) or 0 for each in settings for name in _REPEATING]
    if any(abs(count) > _MOST_SAMPLES for count in repeated):
        return  # a legitimate program may sample as often, but not here
    fields = [
        field
        for predictor in program.predictors().values()
        for field in predictor.signature.fields
    ]
    samples = {field.name: next(iter(sample_values(field)), None) for field in fields}
    answers = {field.name: samples[field.name] for field in fields if field.role == "output"}
    model = lp.ScriptedLM(lambda request: json.dumps(answers), name="scripted/fuzz")
    keys = [key for key, each in program.parameters().items() if each.kind == "model"]
    asking = program.with_parameters(dict.fromkeys(keys, model))
    with lp.using(lm=model, adapter="json"):
        asking(**{name: samples.get(name) for name in asking.input_names()})


def peak_memory() -> float:
    """Return the peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
