"""Reading artifacts, without trusting anything in them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaError

from langprog.adapters import Adapter
from langprog.artifact.classes import Classes, Handed, HandedChecks
from langprog.artifact.costs import check_costs
from langprog.artifact.digest import digest_of
from langprog.artifact.format import FORMAT, ArtifactData
from langprog.artifact.functions import check_names_of_checks
from langprog.artifact.migrations import migrate
from langprog.artifact.model_table import Models, with_recorded_models
from langprog.artifact.nodes import (
    model_names,
    program_from_node,
    user_classes,
)
from langprog.artifact.reading import one_line, read_object
from langprog.artifact.retrievers import HandedRetrievers, check_names_of
from langprog.artifact.tools import HandedTools, check_tool_names, check_tools_at_hand
from langprog.errors import ArtifactError, ModelError
from langprog.hints import Words, with_hints
from langprog.modules import UNKNOWN_KIND, Module, Origin, with_origin

# What building a program from invalid data raises; InputError is handled before.
UNBUILDABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    SchemaError,
    TypeError,
    ValueError,
    re.error,
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact that was read and checked.

    Args:
        path: Its file.
        data: The content, in the newest format.
        format: The file's own format.
        origin: The origin to set on the program loaded from it.
    """

    path: Path
    data: ArtifactData
    format: int
    origin: Origin

    @property
    def digest(self) -> str:
        """``sha256:...`` over everything in the file except the digest itself."""
        return self.data.digest

    @property
    def evidence(self) -> Mapping[str, Any] | None:
        """Metric, data digests, optimizer, certificate and spend; ``None`` without a compile."""
        return self.data.evidence

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names of the models that its program calls, sorted."""
        table = self.data.models
        keys = model_names(self.data.program)
        return tuple(sorted({table[key].name if key in table else key for key in keys}))

    def program(
        self,
        classes: Sequence[Handed] = (),
        allow_modules: Collection[str] = (),
        models: Models = MappingProxyType({}),
        adapters: Sequence[Adapter] = (),
        retrievers: HandedRetrievers = MappingProxyType({}),
        checks: HandedChecks = MappingProxyType({}),
        tools: HandedTools = (),
    ) -> Module:
        """Return the program, frozen.

        Args:
            classes: The user's own classes that it needs, as for :func:`load`.
            allow_modules: Modules that may be imported to find such classes.
            models: Replacements for the models that it names, by name.
            adapters: The user's own adapters that it needs.
            retrievers: The retrievers of its ``Retrieve`` modules, as for :func:`load`.
            checks: The functions of its checks, as for :func:`load`.
            tools: The tools of its ``ReAct`` modules, as for :func:`load`.

        Raises:
            ArtifactError: A class, an adapter, a retriever or a tool is missing or has changed,
                the data does not describe a program, or a model's name contains an address.
            ModelError: The program names no such model, or a replacement is not a model.
        """
        known = Classes(
            classes, allow_modules, adapters, retrievers=retrievers, checks=checks, tools=tools
        )
        return self.program_with(known, models)

    def program_with(self, classes: Classes, models: Models = MappingProxyType({})) -> Module:
        """Return the program, frozen; like :meth:`program`, with prepared classes."""
        try:
            user_code = tuple(dict.fromkeys(user_classes(self.data.program)))
            known = dataclasses.replace(classes, user_code=user_code)
            check_tools_at_hand(self.data.program, classes.tools, classes.allows)
            program = program_from_node(self.data.program, known)
            check_names_of(program, classes.retrievers)
            check_names_of_checks(program, classes.checks)
            check_tool_names(program, classes.tools)
            program = with_recorded_models(
                program, self.data.models, models, proving=classes.proving
            )
            parts = self.data.frozen_parts
            program = (program.freeze(*parts) if parts else program).freeze()
            return with_origin(program, self.origin)
        except ArtifactError as error:
            raise ArtifactError(one_line(f"{self.path}: {error}")) from None
        except ModelError as error:
            if models:  # the caller's mistake
                raise
            raise ArtifactError(one_line(f"{self.path}: {error}")) from None
        except RecursionError:
            raise ArtifactError(
                one_line(f"{self.path}: the program is nested too deeply")
            ) from None
        except UNBUILDABLE as error:
            cause = one_line(f"{type(error).__name__}: {error}")
            raise ArtifactError(
                one_line(f"{self.path} does not describe a valid program ({cause}): compile again")
            ) from error


def read_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Read and check an artifact; runs no code from it.

    Raises:
        ArtifactError: It is missing, damaged, tampered with, of a newer format or incomplete.
    """
    try:
        return _read_file(Path(path))
    except ArtifactError as error:
        raise ArtifactError(one_line(str(error))) from None


def _read_file(file: Path) -> Artifact:
    data = read_object(file)
    version = data["format"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(f"{file}: {version!r:.40} is not a format version")
    if version > FORMAT:
        raise ArtifactError(
            f"{file} has format {version}, this langprog reads up to {FORMAT}: "
            "upgrade langprog to load it"
        )
    _check_digest(file, data)
    try:
        check_costs(data.get("program"))
    except ArtifactError as error:
        raise ArtifactError(f"{file}: {error}") from None
    data = migrate(data)
    try:
        return Artifact(file, ArtifactData.model_validate(data), version, _origin(data))
    except RecursionError:
        raise ArtifactError(f"{file}: the program is nested too deeply") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        advice = "it was not written by langprog: compile again"
        if first["type"] == UNKNOWN_KIND:
            advice = "upgrade langprog, or install the package that provides it"
        raise ArtifactError(f"{file}: {place}: {first['msg']}; {advice}") from None


def _origin(data: Mapping[str, Any]) -> Origin:
    lineage, compiles = tuple(data["lineage"]), tuple(data["compiles"])
    return Origin(data["digest"], digest_of(data["program"]), lineage, compiles)


def _check_digest(file: Path, data: Mapping[str, Any]) -> None:
    stated = data.get("digest")
    if not isinstance(stated, str):
        raise ArtifactError(
            f"{file}: the field 'digest' is missing, so it cannot be checked: compile again"
        )
    try:
        digest = digest_of({key: value for key, value in data.items() if key != "digest"})
    except ValueError:  # text that cannot be encoded
        digest = ""
    if stated != digest:
        raise ArtifactError(
            f"{file} was changed after it was written (its digest does not match): "
            "restore it, or compile again"
        )


# Arguments of other libraries, and what there is here instead.
_ELSEWHERE: Words = MappingProxyType(
    {"allow_pickle": "leave it out: an artifact is plain data, and runs no code"}
)


@with_hints(_ELSEWHERE)
def load(
    path: str | os.PathLike[str],
    classes: Sequence[Handed] = (),
    allow_modules: Collection[str] = (),
    models: Models = MappingProxyType({}),
    adapters: Sequence[Adapter] = (),
    retrievers: HandedRetrievers = MappingProxyType({}),
    checks: HandedChecks = MappingProxyType({}),
    tools: HandedTools = (),
) -> Module:
    """Load a frozen program from an artifact of any format; runs no code from the file.

    If the program contains user code, or classes are passed or allowed, values have the user's own
    Enums, dataclasses and models as types, which must match those in the artifact. A program of
    built-in modules also loads without them: its values then have types rebuilt from the artifact,
    with the same data but a different identity (``value.team is Team.BILLING`` is false, and there
    are no methods).

    Args:
        path: The artifact.
        classes: The user's own classes that it needs: module classes, or instances if a class
            needs arguments; Signature classes; and Enums, dataclasses and models. The types in the
            signatures of a module class are found through it: in its file, in its closures, and in
            an instance of it, which may be created for that purpose.
        allow_modules: Modules, including submodules, that may be imported to find such classes;
            types are searched in the namespaces of the modules listed here.
        models: Replacements for the models that it names:
            ``{"house/llama": lp.LM("house/llama", base_url="http://...")}``, or another name.
            Other models are looked up by name. If such a name would use another endpoint than the
            one in the artifact, and the user has not set an endpoint, calls are refused: a file
            never decides where prompts and keys go. The certified sampling stays, whatever the new
            model's defaults. Different models of the same name have the keys ``house/llama#1`` and
            ``#2`` in the artifact: replace each of them, or the name for all of them.
        adapters: The user's own adapters that it names, if no installed package has them.
        retrievers: The retrievers of its ``Retrieve`` modules, by name:
            ``{"bm25": lp.BM25Retriever(corpus)}``, or just ``{"bm25": corpus}`` where the kind is
            made from its corpus alone. Kind, options and corpus must be those that were certified.
        checks: The functions of its checks, by name: ``{"is_short": is_short}``. Functions in the
            modules of ``classes`` and in allowed modules need not be passed; built-in checks are
            stored in full.
        tools: The tools of its ``ReAct`` modules: ``[look_up]``, or ``{"look_up": function}``.
            Tools that are importable functions may be imported from ``allow_modules`` instead. The
            model sees the descriptions that were certified; the arguments must be the same.

    Raises:
        ArtifactError: The artifact is damaged, changed or too new, a class, a type, an adapter,
            a check, a retriever or a tool is missing or has changed, or a model's name contains
            an address.
        ModelError: ``models`` has a name that the artifact lacks, or a value that is not a model.
    """
    artifact = read_artifact(path)
    return artifact.program(classes, allow_modules, models, adapters, retrievers, checks, tools)
