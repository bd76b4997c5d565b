"""Who does the runs that demonstrations come from: the program, a model in it, or a program."""

from __future__ import annotations

from collections.abc import Sequence

from langprog import Example, Module
from langprog.errors import InputError
from langprog.lm import LanguageModel, ModelRef, model_from
from optimizers.demos.traces import match_predictors
from optimizers.evaluation.candidate import tunable_predictors

Teacher = str | ModelRef | LanguageModel | Module | None


def list_teacher_models(teacher: Teacher) -> tuple[LanguageModel | ModelRef | str, ...]:
    """Return the models that a teacher names: itself, or those of its predictors."""
    if teacher is None:
        return ()
    if not isinstance(teacher, Module):
        return (teacher,)
    models = [predictor.model for predictor in teacher.predictors().values()]
    return tuple(dict.fromkeys(model for model in models if model is not None))


def check_teacher(teacher: Teacher, program: Module) -> None:
    """Refuse a teacher that the program cannot learn from.

    Raises:
        InputError: It is a program without a predictor like one of ``program``'s.
    """
    if isinstance(teacher, Module) and not match_predictors(program, teacher):
        raise InputError(
            "no predictor of the teacher has the fields of one of the program's "
            f"({_describe(program)}); the teacher has {_describe(teacher)}"
        )


def check_teacher_inputs(teacher: Teacher, train: Sequence[Example]) -> None:
    """Refuse a teacher that cannot run on the training examples.

    Raises:
        InputError: It takes an input that an example lacks.
    """
    names = teacher.input_names() if isinstance(teacher, Module) else ()
    for example in train:
        missing = [name for name in names if name not in example]
        if missing:
            raise InputError(
                f"the teacher takes {', '.join(missing)}, which a training example lacks; "
                f"it has {', '.join(example)}"
            )


def make_teaching_program(program: Module, teacher: Teacher) -> Module:
    """Return the program that does the runs.

    Args:
        program: The program that learns.
        teacher: A program, which runs as it is; or a model, which every predictor of ``program``
            asks that is not frozen; ``None`` for ``program`` itself.
    """
    if teacher is None:
        return program
    if isinstance(teacher, Module):
        return teacher
    model = model_from(teacher, "teacher=")
    return program.with_parameters(
        {f"{path}.model": model for path in tunable_predictors(program)}
    )


def _describe(program: Module) -> str:
    return "; ".join(
        f"{path}: {', '.join(each.inputs)} -> {', '.join(each.outputs)}"
        for path, each in program.predictors().items()
    )
