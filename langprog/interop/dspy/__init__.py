"""DSPy programs as ours, and back.

- ``program``: a DSPy program as a module. ``predictor``: its predictors, as a search sees them.
- ``calls``: one call: a copy of the program (``copying``) in DSPy's settings.
- ``lm``: our models as DSPy's. ``models``: DSPy's models as ours. ``errors``: errors as both.
- ``adapter``, ``steps``: what predictors do, as steps of the trace. ``prompts``: DSPy's prompts.
- ``exporting``: back to DSPy. ``states``: DSPy's JSON states. ``metrics``: metrics of DSPy.
- ``signatures``, ``describing``: what a search and an artifact have to know of a program.

DSPy is imported when the first program is wrapped.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from langprog.errors import InputError
from langprog.modules import Module

_LACKING = "DSPy is not installed: pip install 'langprog[dspy]', which lp.from_dspy needs"


def from_dspy(program: Any, *, adapter: Any = None, inputs: Sequence[str] | None = None) -> Module:
    """Return a DSPy program as a program of ours, which every optimizer here compiles.

    Its predictors have the names that DSPy gives them. All that its ``forward`` does stays as it
    is (loops, retrieval, tools, threads, nested modules), DSPy's own adapter writes its prompts
    and reads its replies, and each call of a model goes through our models, budget, cache, journal
    and trace. A search sets instructions, demonstrations, models and sampling of its predictors.
    The DSPy program itself is never written to: a copy is kept, and each call runs on another one.

    A model that a predictor has in DSPy stays its model. For all others the ambient model answers,
    or where there is none, the one that DSPy is configured with.

    Example::

        program = lp.from_dspy(dspy.ChainOfThought("question -> answer"))
        compiled = Compiler().compile(program, trainset, metric=metric)
        better = lp.to_dspy(compiled.program)

    Args:
        program: A ``dspy.Module``, or a class of one that takes no arguments.
        adapter: DSPy's adapter; by default the one that DSPy is configured with now.
        inputs: The names of its inputs; needed where ``forward`` takes ``**inputs`` and the module
            has no signature.

    Returns:
        The program; it is called, evaluated, compiled and saved like every other.

    Raises:
        InputError: DSPy is not installed, or this is not a DSPy program, or it has no predictors.
        SignatureError: Its inputs are not known.
    """
    if isinstance(program, Module):
        raise InputError(f"{type(program).__name__} is a program of langprog already")
    module = _make(program) if isinstance(program, type) and is_dspy(program) else program
    if not is_dspy(module):
        raise InputError(f"from_dspy takes a dspy.Module, not a {type(program).__name__}")
    from langprog.interop.dspy.program import DSPyProgram  # noqa: PLC0415 - imports DSPy

    return DSPyProgram(module, adapter=adapter, inputs=inputs)


def _make(kind: Any) -> Any:
    try:
        inspect.signature(kind.__init__).bind(None)
    except TypeError as error:
        raise InputError(
            f"{kind.__name__} cannot be made without arguments ({error}): give a program, such as "
            f"program = {kind.__name__}(...), and not the class"
        ) from None
    return kind()


def to_dspy(program: Any, *, lm: Any = None) -> Any:
    """Return a compiled program as the DSPy program that it was, with what was chosen.

    Args:
        program: A program of :func:`from_dspy`, or the result of compiling one.
        lm: A model of DSPy that all predictors get, each with the settings that were chosen. By
            default each gets the model that it was compiled with, as ``dspy.LM`` (without a key;
            DSPy reads keys from the environment). A model that runs in this process DSPy cannot
            call: it then calls the one that it is configured with.

    Returns:
        A new ``dspy.Module``: a copy of the one that was wrapped, whose predictors have the chosen
        instructions, demonstrations and models.

    Raises:
        InputError: It is not such a program, or DSPy cannot run it with the models that it has.
    """
    inner = getattr(program, "program", program)
    made = getattr(inner, "to_dspy", None)
    if made is None:
        raise InputError(
            f"to_dspy takes a program of lp.from_dspy, or what a compile of one returned, not a "
            f"{type(program).__name__}"
        )
    return made(lm)


def is_dspy(thing: object) -> bool:
    """Return whether something is a module of DSPy, or a class of one; does not import DSPy."""
    dspy = sys.modules.get("dspy")
    module = getattr(dspy, "Module", None)
    if not isinstance(module, type):
        return False
    return issubclass(thing if isinstance(thing, type) else type(thing), module)
