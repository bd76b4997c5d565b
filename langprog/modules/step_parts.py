"""The parts of a search over steps: what proposes steps, what answers from them, what judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langprog.errors import InputError, SignatureError
from langprog.modules.around import check_module, check_verdict
from langprog.modules.base import Module
from langprog.modules.predict import Predict
from langprog.signature import FieldSpec, SignatureSpec

# The input of all parts with the steps so far, and the outputs of the predictor of steps.
STEPS, STEP, FINISHED = "steps", "step", "finished"
LOGPROB = "logprob"
PROPOSE = (
    "Work towards the outputs step by step. Given the steps so far, write only the next step, and "
    "say whether the outputs are known after it."
)
ANSWER = "The steps of reasoning are given: answer from them."

Check = Callable[[dict[str, Any], list[str]], Any]


def check_names(signature: SignatureSpec) -> None:
    """Refuse a signature with a field that the parts add.

    Raises:
        SignatureError: It has one.
    """
    names = {*signature.inputs, *signature.outputs}
    if STEPS in names or {STEP, FINISHED} & signature.inputs.keys():
        raise SignatureError(
            f"a StepSearch uses the fields {STEPS}, {STEP} and {FINISHED}, and {signature.name} "
            "has one of them: rename it"
        )


def _with_steps(signature: SignatureSpec) -> SignatureSpec:
    return signature.with_field(FieldSpec(STEPS, "input", list[str], "the steps so far"))


def make_step(signature: SignatureSpec) -> Predict:
    """Return a predictor of the next step."""
    told = ", ".join(signature.outputs)
    instruction = f"{signature.instruction}\n\n{PROPOSE} The outputs are: {told}.".strip()
    fields = (
        *_with_steps(signature).inputs.values(),
        FieldSpec(STEP, "output", str, "the next step"),
        FieldSpec(FINISHED, "output", bool, "whether no further step is needed"),
    )
    return Predict(SignatureSpec(f"{signature.name} step", instruction, fields))


def make_answer(signature: SignatureSpec) -> Predict:
    """Return a predictor of the outputs from the steps."""
    instruction = f"{signature.instruction}\n\n{ANSWER}".strip()
    return Predict(_with_steps(signature).with_instruction(instruction))


def check_step(step: Module, signature: SignatureSpec) -> Module:
    """Return a predictor of steps if its fields fit.

    Raises:
        InputError: They do not.
    """
    check_module(step, "step= of a StepSearch")
    wanted = {*signature.inputs, STEPS}
    given = step.outputs
    if set(step.inputs) != wanted or STEP not in given or FINISHED not in given:
        raise InputError(
            f"step= of a StepSearch takes {', '.join(sorted(wanted))} and gives {STEP} and "
            f"{FINISHED}; this one takes {', '.join(step.inputs)} and gives {', '.join(given)}"
        )
    if given[FINISHED].annotation is not bool:
        raise InputError(f"step= of a StepSearch gives {FINISHED} as a bool: {FINISHED}: bool")
    return step


def check_answer(answer: Module, signature: SignatureSpec) -> Module:
    """Return what answers if its fields fit.

    Raises:
        InputError: They do not.
    """
    check_module(answer, "answer= of a StepSearch")
    wanted = {*signature.inputs, STEPS}
    if set(answer.inputs) != wanted or list(answer.outputs) != list(signature.outputs):
        raise InputError(
            f"answer= of a StepSearch takes {', '.join(sorted(wanted))} and gives "
            f"{', '.join(signature.outputs)}; this one takes {', '.join(answer.inputs)} and gives "
            f"{', '.join(answer.outputs)}"
        )
    return answer


def check_judge(judge: Any) -> Any:
    """Return a judge if it can be one.

    Raises:
        InputError: It cannot.
    """
    if isinstance(judge, Module):
        check_verdict(judge, "the judge of a StepSearch")
    elif judge != LOGPROB and (not callable(judge) or isinstance(judge, type)):
        raise InputError(
            "judge= of a StepSearch is a module, a function check(inputs, steps), or 'logprob', "
            f"not {judge!r:.60}"
        )
    return judge
