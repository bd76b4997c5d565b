"""Writing artifacts, after checking that they load as the same program."""

from __future__ import annotations

import inspect
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog
from langprog.adapters import Adapter
from langprog.artifact.checking import declaring_class
from langprog.artifact.classes import Classes, Handed
from langprog.artifact.digest import digest_of, indented_json, sort_keys
from langprog.artifact.files import read_artifact
from langprog.artifact.format import FORMAT
from langprog.artifact.functions import checks_of
from langprog.artifact.lineage import list_parents
from langprog.artifact.migrations import migrate
from langprog.artifact.model_table import (
    check_extra,
    check_names,
    model_keys,
    model_table,
    models_in,
    with_own_sampling,
)
from langprog.artifact.nodes import program_to_json
from langprog.artifact.proof import difference_of
from langprog.artifact.reading import read_object
from langprog.artifact.retrievers import embedders_of, retrievers_of
from langprog.artifact.secrets import refuse_secrets
from langprog.artifact.tools import tools_of
from langprog.errors import ArtifactError, InputError, LangprogError
from langprog.hints import Words, with_hints
from langprog.modules import Module, hidden_modules, list_compiles
from langprog.runtime import give_notice


def save_program(
    program: Module,
    path: str | os.PathLike[str],
    *,
    evidence: Mapping[str, Any] | None = None,
    canary: Sequence[Mapping[str, Any]] = (),
    optimizer: str | None = None,
) -> str:
    """Write ``program`` to an artifact, atomically, after checking the round trip.

    Args:
        program: Any program; a user's own classes are stored by name.
        path: The file; replaced only when the new one is complete and checked.
        evidence: A compile's evidence; plain JSON data.
        canary: Rows that later show whether the models still answer as before.
        optimizer: The optimizer's name, for the lineage; ``None`` without a compile.

    Returns:
        The artifact's digest.

    Raises:
        ArtifactError: Something cannot be stored, looks like a secret, or loads differently.
    """
    target = Path(os.path.realpath(path))  # keep a symbolic link
    _check_place(target)
    for place in hidden_modules(program):
        give_notice(
            f"{place} contains modules that are not part of the program, so the artifact lacks "
            "them: keep them in attributes of the module, in lists, dicts or dataclasses"
        )
    program = with_own_sampling(program)
    text, digest = _text_of(make_content(program, evidence, canary, optimizer))
    with _replacing(target) as (handle, name):
        _write(handle, text, target)
        _prove(program, name, canary)
    return digest


# Arguments of other libraries, and what there is here instead.
_ELSEWHERE: Words = MappingProxyType(
    {
        "modules_to_serialize": "write lp.load(path, classes=[...]) where it is loaded",
        "save_program": "leave it out: an artifact always holds the whole program",
    }
)


@with_hints(_ELSEWHERE)
def save(program: Module, path: str | os.PathLike[str]) -> str:
    """Save a program that was edited by hand or never compiled.

    The artifact has no evidence: a certificate holds only for the compiled program, whose result
    has its own ``save``. If the program was loaded from an artifact, the new artifact's lineage
    names it, as ``edited`` if the program has changed.

    Args:
        program: Any program; a user's own classes are stored by name.
        path: The file; replaced only when the new one is complete and checked.

    Returns:
        The artifact's digest.

    Raises:
        ArtifactError: Something cannot be stored, looks like a secret, or loads differently.
        InputError: It is not a program.
    """
    if not isinstance(program, Module):
        raise InputError(
            f"lp.save takes a program and then a path, not a {type(program).__name__} first: "
            "lp.save(program, path), or compiled.save(path) after a compile"
        )
    return save_program(program, path)


def write_canaries(path: str | os.PathLike[str], canary: Sequence[Mapping[str, Any]]) -> str:
    """Put canaries into an artifact, in place of those that it has; all else stays.

    Its lineage names the artifact as it was, and the certificate still holds.

    Args:
        path: The artifact; replaced only when the new one is complete and checked.
        canary: Rows that later show whether the models still answer as before.

    Returns:
        The artifact's new digest.

    Raises:
        ArtifactError: It is not an artifact, cannot be written, or a row looks like a secret.
    """
    target = Path(os.path.realpath(path))
    before = read_artifact(target)
    content = migrate(read_object(target))
    parent = {"digest": before.digest, "how": "saved", "optimizer": None}
    content["lineage"] = [{**parent, "langprog": langprog.__version__}, *content["lineage"]]
    content["canary"] = [dict(row) for row in canary]
    del content["digest"]
    refuse_secrets(content["canary"])
    text, digest = _text_of(content)
    with _replacing(target) as (handle, name):
        _write(handle, text, target)
        read_artifact(name)
    return digest


def check_writable(program: Module) -> None:
    """Check that an artifact can store a program, before anything is spent on it.

    Raises:
        ArtifactError: Something in it cannot be stored, looks like a secret, or is an address in
            place of a model's name.
    """
    program = with_own_sampling(program)
    _text_of(make_content(program, None, (), None))
    checks_of(program)
    check_names({str(model) for _, model in models_in(program)})
    check_extra(program)


def _check_place(target: Path) -> None:
    if target.is_dir():
        raise ArtifactError(f"{target} is a folder: name a file in it")
    if not target.parent.is_dir():
        raise ArtifactError(f"{target} cannot be written: there is no folder {target.parent}")


def make_content(
    program: Module,
    evidence: Mapping[str, Any] | None,
    canary: Sequence[Mapping[str, Any]],
    optimizer: str | None,
) -> dict[str, Any]:
    """Return the content that the digest covers.

    Raises:
        ArtifactError: Something is not plain JSON, or looks like a secret, or has
            the name of another.
    """
    embedders_of(program)  # two of one name, retrievers too, could not be told apart
    tools_of(program)
    keys = model_keys(program)
    node = program_to_json(program.with_parameters(keys) if keys else program)
    content = {
        "format": FORMAT,
        "langprog": langprog.__version__,
        "program": node,
        "models": model_table(program),
        "lineage": list_parents(program, node, optimizer),
        "compiles": list_compiles(program),
        "evidence": None if evidence is None else dict(evidence),
        "canary": [dict(row) for row in canary],
    }
    if frozen := program.frozen_parts():
        content["frozen_parts"] = list(frozen)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(
            f"the artifact would contain data that is not plain JSON: {error}"
        ) from None
    plain["evidence"] = sort_keys(plain["evidence"])
    refuse_secrets(plain)
    return plain


def _text_of(content: dict[str, Any]) -> tuple[str, str]:
    try:
        digest = digest_of(content)
    except ValueError as error:  # usually half of a character
        raise ArtifactError(
            f"the artifact would contain text that cannot be written: {error}"
        ) from None
    return indented_json({**content, "digest": digest}), digest


@contextmanager
def _replacing(target: Path) -> Iterator[tuple[int, Path]]:
    """Yield a new file, open, that takes the place of ``target`` if the block succeeds."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None
    try:
        yield handle, Path(name)
        _replace_file(Path(name), target)
    finally:
        Path(name).unlink(missing_ok=True)


def _write(handle: int, text: str, target: Path) -> None:
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), _mode(target))
            os.fsync(file.fileno())
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None


def _mode(target: Path) -> int:
    # That of the replaced file; else readable by others, so that they can run it.
    return target.stat().st_mode & 0o777 if target.exists() else 0o644


def _replace_file(written: Path, target: Path) -> None:
    try:
        os.replace(written, target)
        # Makes the rename itself survive a power cut.
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None


def _prove(program: Module, written: Path, canary: Sequence[Mapping[str, Any]]) -> None:
    # Loads the file that will become the artifact, not the data in memory.
    try:
        known = Classes(
            _templates(program),
            adapters=_adapters(program),
            retrievers={**retrievers_of(program, handed=True), **embedders_of(program)},
            checks=checks_of(program),
            tools=tools_of(program),
            proving=True,
        )
        again = read_artifact(written).program_with(known)
        rows = [row.get("inputs", row) for row in canary]
        difference = difference_of(program, again, [row for row in rows if isinstance(row, dict)])
    except LangprogError as error:
        cause = str(error).removeprefix(f"{written}: ")
        raise ArtifactError(f"the program does not load from its artifact: {cause}") from None
    if difference is not None:
        raise ArtifactError(
            f"the program loads differently from its artifact ({difference}); nothing was saved"
        )


def _templates(program: Module) -> list[Handed]:
    """Return what ``load`` would need: classes, or instances of those that need arguments."""
    templates: list[Handed] = []
    for module in program.named_modules().values():
        cls = type(module)
        try:
            inspect.signature(cls).bind()
        except (TypeError, ValueError):
            templates.append(module)
        else:
            templates.append(cls)
    predictors = list(program.predictors().values())
    declared = (declaring_class(predictor.signature) for predictor in predictors)
    return [*templates, *(cls for cls in declared if cls is not None), *predictors]


def _adapters(program: Module) -> list[Adapter]:
    own = (
        parameter.value
        for parameter in program.parameters().values()
        if parameter.kind == "adapter"
    )
    return [adapter for adapter in own if adapter is not None and not isinstance(adapter, str)]
