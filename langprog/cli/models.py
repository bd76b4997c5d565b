"""The model options of a command line: ``--lm``, ``--model``, ``--base-url``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from langprog.artifact import models_in, with_models
from langprog.errors import InputError
from langprog.lm import LanguageModel
from langprog.modules import Module
from langprog.runtime import LM, portable_address

LM_HELP = "Model for modules that name none, provider/model."
MODEL_HELP = "NAME=provider/model: use this model for NAME in the program; may be repeated."
BASE_URL_HELP = (
    "Address of the models that other options name, or else of all in the program; keys come from "
    "the environment."
)


@dataclass(frozen=True)
class NamedModels:
    """The models that a command line names.

    Args:
        lm: Model for modules that name none.
        replaced: Replacements for models in the program, by name.
        base_url: Their address.
        others: Whether other options name models as well.
    """

    lm: str | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    others: bool = False

    @classmethod
    def of(
        cls,
        lm: str | None,
        model: Sequence[str] | None,
        base_url: str | None,
        *,
        others: bool = False,
    ) -> NamedModels:
        """Read the options.

        Raises:
            InputError: A ``--model`` does not have the form NAME=provider/model, or its name
                appears twice.
        """
        replaced: dict[str, str] = {}
        for option in model or ():
            name, _, new = (part.strip() for part in option.partition("="))
            if not name or not new:
                raise InputError(
                    f"--model {option!r}: write NAME=provider/model, with a NAME from the "
                    "program (langprog show)"
                )
            if replaced.setdefault(name, new) != new:
                raise InputError(
                    f"--model: {name!r} is given twice, as {replaced[name]} and {new}"
                )
        return cls(lm, replaced, base_url, others)

    @property
    def ambient(self) -> str | LanguageModel | None:
        """The model for modules that name none, at its address."""
        return None if self.lm is None else self.at_address(self.lm)

    @property
    def description(self) -> str:
        """The part of a run's identity from ``--model`` and ``--base-url``; may be empty."""
        place = [] if self.base_url is None else [f"at {portable_address(self.base_url)}"]
        return "".join(f" {text}" for text in [*map("=".join, self.replaced.items()), *place])

    def at_address(self, name: str) -> str | LanguageModel:
        """Return a model by name, at ``--base-url`` if given."""
        return name if self.base_url is None else LM(name, base_url=self.base_url)

    def from_list(self, models: str | None) -> list[str | LanguageModel] | None:
        """Return the models in a list, A,B,..., at their address."""
        if models is None:
            return None
        return [self.at_address(name.strip()) for name in models.split(",") if name.strip()]

    def replacements_for(self, names: Sequence[str]) -> dict[str, str | LanguageModel]:
        """Return replacements for the models in a program, by name.

        Raises:
            InputError: ``--base-url`` would apply to nothing.
        """
        if self.base_url is None or self.replaced or self.lm is not None or self.others:
            return {name: self.at_address(new) for name, new in self.replaced.items()}
        remote = [name for name in names if not name.startswith("pocket/")]
        if not remote:
            raise InputError(
                "--base-url has no model to apply to: the program names "
                f"{', '.join(map(repr, names)) or 'none'}; name one with --lm or "
                "--model NAME=provider/model"
            )
        return {name: self.at_address(name) for name in remote}

    def apply_to(self, program: Module) -> Module:
        """Return a program with the command line's models."""
        return with_models(program, self.replacements_for(model_names(program)))

    def check_lm(self, program: Module) -> None:
        """Refuse an ``--lm`` that nothing in ``program`` would use.

        Raises:
            InputError: Every module names its model.
        """
        if self.lm is None or uses_ambient_model(program):
            return
        names = model_names(program)
        raise InputError(
            f"--lm {self.lm} would not be used: every module names its model "
            f"({', '.join(names)}); write --model {names[0]}={self.lm}"
        )


def model_names(program: Module) -> list[str]:
    """Return the names of the models in a program."""
    return sorted({str(model) for _, model in models_in(program)})


def uses_ambient_model(program: Module) -> bool:
    """Return whether a predictor of a program uses the ambient model."""
    return any(predictor.model is None for predictor in program.predictors().values())
