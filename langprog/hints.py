"""Errors that name our word where somebody types one of another library.

Each class or function has its own table of such words, next to it. ``NAMES`` is the table of the
package itself.
"""

from __future__ import annotations

import difflib
import dis
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from langprog.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# What is written instead, by the word that was typed.
Words = Mapping[str, str]

__all__ = [
    "NAMES",
    "Hinted",
    "HintedType",
    "Words",
    "find_room",
    "missing_export",
    "missing_name",
    "with_hinted_fields",
    "with_hints",
]


def missing_name(owner: str, name: str, words: Words, names: Iterable[str] = ()) -> AttributeError:
    """Return the error for a name that is not there, with a hint if there is one.

    Args:
        owner: What was asked for the name, as a sentence begins with it.
        name: The name.
        words: The table; without an entry, the nearest name is suggested.
        names: The names that are there.
    """
    hint = f": {words[name]}" if name in words else _suggest(name, names)
    return AttributeError(f"{owner} has no attribute {name!r}{hint}", name=name)


def missing_export(module: str, name: str, words: Words, names: Iterable[str] = ()) -> Exception:
    """Return the error for a name that a module lacks, to be raised by its ``__getattr__``.

    Where the name is imported, ``from langprog import InputField``, it is an ImportError: Python
    replaces an AttributeError there by one of its own, without the hint.

    Args:
        module: The module.
        name: The name.
        words: As for :func:`missing_name`.
        names: As for :func:`missing_name`.
    """
    error = missing_name(f"module {module!r}", name, words, names)
    caller = sys._getframe(2)
    importing = caller.f_code.co_code[caller.f_lasti] == dis.opmap["IMPORT_FROM"]
    # A module of this name that is just being imported is found by Python itself.
    if not importing or f"{module}.{name}" in sys.modules:
        return error
    return ImportError(f"cannot import {name!r}: {error}", name=module)


def _suggest(name: str, names: Iterable[str]) -> str:
    if name.startswith("_"):  # asked for by tools, not typed
        return ""
    lowered = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.8)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def find_room(name: str) -> str:
    """Return the module that has a name which the package itself does not have, or ``""``."""
    rooms = () if name.startswith("_") else ("langprog.errors", "langprog.evaluation")
    for room in rooms:
        if name in importlib.import_module(room).__all__:
            return room
    return ""


class Hinted:
    """A class whose objects say what to write instead of an attribute of another library.

    A subclass has the table ``_elsewhere``.
    """

    __slots__ = ()

    _elsewhere: ClassVar[Words] = MappingProxyType({})

    if not TYPE_CHECKING:  # type checkers refuse unknown attributes by themselves

        def __getattr__(self, name: str) -> Any:
            if name in self._elsewhere:
                raise missing_name(f"{type(self).__name__!r} object", name, self._elsewhere)
            # Once more, for the usual error: perhaps a property raised it.
            return object.__getattribute__(self, name)


class HintedType(type):
    """A class of classes that say the same about names that are looked up at the class."""

    _elsewhere: Words

    if not TYPE_CHECKING:  # as above

        def __getattr__(cls, name: str) -> Any:
            words = {} if name.startswith("_") else cls._elsewhere
            raise missing_name(f"type object {cls.__name__!r}", name, words)


def with_hints(
    words: Words, *, by_name: str = "", needed: Words = MappingProxyType({})
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse arguments that a function does not take, and say what to write instead.

    Errors inside the function stay as they are.

    Args:
        words: What is written instead of an argument that other libraries have. One that the
            function has itself is taken, so that functions may share a table.
        by_name: What is said where more arguments come by position than the function takes so.
        needed: What is said where an argument is left out.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        code = function.__code__
        most = code.co_argcount
        own = code.co_varnames[: most + code.co_kwonlyargcount]
        refused = {name: hint for name, hint in words.items() if name not in own}
        called = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name in refused:
                    raise InputError(f"{called} has no argument {name!r}: {refused[name]}")
            if by_name and len(args) > most:
                raise InputError(f"{called} takes no further argument by position: {by_name}")
            try:
                return function(*args, **kwargs)
            except TypeError:
                misfit = _describe_misfit(function, called, args, kwargs, needed)
                if misfit is None:
                    raise
                raise InputError(misfit) from None

        return checked

    return decorate


def with_hinted_fields(words: Words, *, by_name: str = "") -> Callable[[type[T]], type[T]]:
    """Do for the fields of a dataclass what :func:`with_hints` does for arguments."""

    def decorate(cls: type[T]) -> type[T]:
        hinted = with_hints(words, by_name=by_name)(cls.__init__)
        cls.__init__ = hinted  # type: ignore[method-assign]  # the one that dataclass wrote
        return cls

    return decorate


def _describe_misfit(
    function: Callable[..., Any],
    called: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    needed: Words,
) -> str | None:
    """Return what is wrong with the arguments of a call; ``None`` if they fit."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        problem = str(error)
    else:
        return None
    known = list(signature.parameters.values())
    if known[0].name == "self":
        known, args = known[1:], args[1:]
    names = [each.name for each in known]
    unknown = [name for name in kwargs if name not in names]
    if unknown and not any(each.kind is each.VAR_KEYWORD for each in known):
        hint = _suggest(unknown[0], names) or f"; it has {', '.join(names)}"
        return f"{called} has no argument {unknown[0]!r}{hint}"
    bare = [each.name for each in known if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]
    if len(args) > len(bare) and not any(each.kind is each.VAR_POSITIONAL for each in known):
        listed = f" ({', '.join(bare)})" if bare else ""
        rest = ", ".join(f"{name}=" for name in names if name not in bare)
        named = f": write the others by name, {rest}" if rest else ""
        count = "1 argument" if len(bare) == 1 else f"{len(bare) or 'no'} arguments"
        return f"{called} takes {count} by position{listed}{named}"
    absent = next((name for name in needed if problem.endswith(f"argument: {name!r}")), None)
    if absent is not None:
        return f"{called} lacks {absent!r}: {needed[absent]}"
    return f"{called}: {problem}; it has {', '.join(names)}"


_OPTIMIZER = "write `from optimizers import {}`"
_SAMPLES = "write lp.Vote(program, k=...) or lp.BestOf(program, judge=..., k=...)"

# Names of DSPy in the package, and what there is here instead.
NAMES: Words = MappingProxyType(
    {
        "Adapter": "derive from langprog.adapters.Adapter",
        "Assert": "write lp.require(condition, message), or Predict(..., checks=[lp.Check(...)])",
        "BAMLAdapter": 'write adapter="json"; nested types are described at every depth',
        "BaseCallback": "derive from lp.Callback",
        "BaseLM": "derive from langprog.lm.Wrapper, or write `async def complete`",
        "BestOfN": "write lp.BestOf(program, judge=..., k=...)",
        "BetterTogether": "write `from optimizers import Chain`",
        "BootstrapFinetune": "a compile sets prompts and models, not weights",
        "BootstrapFewShot": _OPTIMIZER.format("BootstrapFewShot"),
        "BootstrapFewShotWithRandomSearch": _OPTIMIZER.format("BootstrapRandomSearch"),
        "BootstrapRandomSearch": _OPTIMIZER.format("BootstrapRandomSearch"),
        "BootstrapRS": _OPTIMIZER.format("BootstrapRandomSearch"),
        "COPRO": _OPTIMIZER.format("Compiler"),
        "ChatAdapter": 'write adapter="chat"',
        "CodeAct": "write lp.ReAct(signature, tools=[...])",
        "ColBERTv2": "write lp.LateInteractionRetriever, or lp.FunctionRetriever for a server",
        "Chain": _OPTIMIZER.format("Chain"),
        "ChainOfThoughtWithHint": "write lp.ChainOfThought with an input for the hint",
        "Code": "declare it as str",
        "Compiler": _OPTIMIZER.format("Compiler"),
        "Document": "write lp.File",
        "DummyLM": "write lp.ScriptedLM([...])",
        "Embedder": "hand any function of texts to lp.EmbeddingRetriever(corpus, embed)",
        "Embeddings": "write lp.EmbeddingRetriever(corpus, embed)",
        "Ensemble": _SAMPLES,
        "Evaluate": "write lp.evaluate(program, data, metric)",
        "Evolve": _OPTIMIZER.format("Evolve"),
        "FrugalCascade": _OPTIMIZER.format("FrugalCascade"),
        "GEPA": _OPTIMIZER.format("GEPA"),
        "InferRules": _OPTIMIZER.format("Compiler"),
        "InputField": 'write lp.Input("what it means")',
        "JSONAdapter": 'write adapter="json"',
        "KNN": "write lp.NearestDemos(examples, k=...)",
        "JudgeAlign": _OPTIMIZER.format("JudgeAlign"),
        "KNNDemos": _OPTIMIZER.format("KNNDemos"),
        "KNNFewShot": _OPTIMIZER.format("KNNDemos"),
        "label_next": _OPTIMIZER.format("label_next"),
        "label_weakly": _OPTIMIZER.format("label_weakly"),
        "LLMSelector": _OPTIMIZER.format("LLMSelector"),
        "LabeledFewShot": _OPTIMIZER.format("LabeledFewShot"),
        "MIPRO": _OPTIMIZER.format("MIPRO"),
        "MIPROv2": _OPTIMIZER.format("MIPRO"),
        "ModelRouter": _OPTIMIZER.format("ModelRouter"),
        "MultiChainComparison": "write lp.Vote or lp.BestOf",
        "OpenAI": 'write lp.LM("openai/gpt-6-luna")',
        "OutputField": 'write lp.Output("what it means")',
        "Optimizer": _OPTIMIZER.format("Optimizer"),
        "Parallel": "write lp.parallel(...)",
        "ProgramOfThought": "write lp.ReAct(signature, tools=[...])",
        "PythonInterpreter": "hand a function of yours to lp.ReAct(signature, tools=[...])",
        "Rerank": "write lp.RerankRetriever",
        "RLM": "write lp.ReAct(signature, tools=[...])",
        "Reasoning": "write lp.ChainOfThought, whose output reasoning is a field",
        "Retry": "lp.require asks again by itself, with the failed answer and the message",
        "SIMBA": _OPTIMIZER.format("Compiler"),
        "SemanticF1": "write langprog.evaluation.f1(field), or judged(judge)",
        "StreamListener": "write program.astream(...), which streams every field",
        "Suggest": "write lp.suggest(condition, message)",
        "Teleprompter": _OPTIMIZER.format("Optimizer"),
        "ToolCalls": "lp.ReAct calls tools by itself; its trace has the calls",
        "TwoStepAdapter": "write a Pipeline of two lp.Predict",
        "TypedChainOfThought": "write lp.ChainOfThought: every predictor is typed",
        "TypedPredictor": "write lp.Predict: every predictor is typed",
        "Usage": "every prediction has .usage",
        "VoteSize": _OPTIMIZER.format("VoteSize"),
        "XMLAdapter": 'write adapter="xml"',
        "answer_exact_match": "write langprog.evaluation.exact(field)",
        "answer_passage_match": "write langprog.evaluation.contains(field)",
        "assert_transform_module": "lp.require works in any module's forward, as it is",
        "astream": "write program.astream(...)",
        "asyncify": "write await program.acall(...)",
        "cache": "write lp.LM(name, cache=...), or set LANGPROG_CACHE",
        "compile": "write `from optimizers import Compiler`, Compiler().compile(program, ...)",
        "configure_cache": "write lp.LM(name, cache=...), or set LANGPROG_CACHE",
        "context": "write lp.using(lm=...)",
        "disable_logging": "logging.getLogger('langprog') is an ordinary logger",
        "enable_logging": "logging.getLogger('langprog') is an ordinary logger",
        "ensure_signature": "write langprog.signature.signature_of(...)",
        "inspect_history": "look at prediction.trace, or set LANGPROG_LOG and run "
        "`langprog show --last 3`",
        "load_state": "write lp.load(path), which returns the program",
        "majority": "write lp.Vote",
        "make_signature": "write langprog.signature.signature_of(...)",
        "retrievers": "write lp.EmbeddingRetriever, lp.BM25Retriever, lp.FunctionRetriever",
        "settings": "write lp.configure(lm=...) or lp.using(lm=...)",
        "stream": "write program.stream(...)",
        "streamify": "write program.astream(...)",
        "syncify": "call the program itself, program(...): it may be asynchronous inside",
        "teleprompt": "write `import optimizers`",
        "trace": "every prediction has .trace",
        "track_usage": "prediction.usage is always there",
    }
)
