"""Write an artifact, once it is proven that it comes back the same."""

from __future__ import annotations

import inspect
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import langprog
from langprog.adapters import Adapter
from langprog.artifact.checking import declaring_class
from langprog.artifact.classes import Classes, Handed
from langprog.artifact.digest import digest_of, indented_json, sort_keys
from langprog.artifact.files import read_artifact
from langprog.artifact.format import FORMAT
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
from langprog.artifact.retrievers import retrievers_of
from langprog.artifact.secrets import refuse_secrets
from langprog.errors import ArtifactError, LangprogError
from langprog.modules import Module, hidden_modules, origin_of
from langprog.runtime import give_notice


def save_program(
    program: Module,
    path: str | os.PathLike[str],
    *,
    evidence: Mapping[str, Any] | None = None,
    canary: Sequence[Mapping[str, Any]] = (),
    optimizer: str | None = None,
) -> str:
    """Write ``program`` to an artifact, atomically, once it is proven to come back the same.

    Args:
        program: Any program; a user's own classes are written by name.
        path: The file; replaced only when the new one is complete and proven.
        evidence: What a compile found out about it; plain JSON data.
        canary: Rows that later show whether the models still answer as they did.
        optimizer: The name of the optimizer that it comes from, for the lineage of the program;
            ``None`` without a compile.

    Returns:
        The artifact's digest.

    Raises:
        ArtifactError: Something cannot be written, looks like a secret, or does not come back.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    _check_place(target)
    for place in hidden_modules(program):
        give_notice(
            f"{place} holds modules that are not a part of the program, so the artifact does not "
            "have them: keep them in attributes of the module, in lists, dicts or dataclasses"
        )
    program = with_own_sampling(program)
    text, digest = _text_of(make_content(program, evidence, canary, optimizer))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None
    try:
        _write(handle, text, target)
        _prove(program, Path(name), canary)
        _replace_file(Path(name), target)
    finally:
        Path(name).unlink(missing_ok=True)
    return digest


def save(program: Module, path: str | os.PathLike[str]) -> str:
    """Write a program as an artifact, for programs that were edited by hand or never compiled.

    The artifact has no evidence: a certificate is of the very program that was compiled, whose
    result has a ``save`` of its own. Where the program was loaded from an artifact, the new one
    names it in its lineage, as ``edited`` where the program is another one now.

    Args:
        program: Any program; a user's own classes are written by name.
        path: The file; replaced only when the new one is complete and proven.

    Returns:
        The artifact's digest.

    Raises:
        ArtifactError: Something cannot be written, looks like a secret, or does not come back.
    """
    return save_program(program, path)


def check_writable(program: Module) -> None:
    """Check that an artifact can hold a program, before anything is spent on it.

    Raises:
        ArtifactError: Something in it cannot be written, looks like a secret, or is an address
            where a model's name should be.
    """
    program = with_own_sampling(program)
    _text_of(make_content(program, None, (), None))
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
    """Return what the digest covers.

    Raises:
        ArtifactError: Something is no plain JSON, looks like a secret, or has the name of another.
    """
    retrievers_of(program)  # two of one name could not be told apart
    keys = model_keys(program)
    node = program_to_json(program.with_parameters(keys) if keys else program)
    content = {
        "format": FORMAT,
        "langprog": langprog.__version__,
        "program": node,
        "models": model_table(program),
        "lineage": _lineage(program, node, optimizer),
        "evidence": None if evidence is None else dict(evidence),
        "canary": [dict(row) for row in canary],
    }
    try:
        plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the artifact would hold what is no plain JSON: {error}") from None
    plain["evidence"] = sort_keys(plain["evidence"])
    refuse_secrets(plain)
    return plain


def _lineage(
    program: Module, node: Mapping[str, Any], optimizer: str | None
) -> list[Mapping[str, Any]]:
    """Return what a program was made from, the newest first."""
    origin = origin_of(program)
    if origin is None:
        return []
    how = "saved" if _digest(node) == origin.program else "edited"
    parent = {
        "digest": origin.digest,
        "how": how if optimizer is None else "compiled",
        "optimizer": optimizer,
        "langprog": langprog.__version__,
    }
    return [parent, *origin.lineage]


def _digest(node: Mapping[str, Any]) -> str:
    try:
        return digest_of(node)
    except (TypeError, ValueError):  # what cannot be written is told of where it is written
        return ""


def _text_of(content: dict[str, Any]) -> tuple[str, str]:
    try:
        digest = digest_of(content)
    except ValueError as error:  # half of a character, mostly
        raise ArtifactError(
            f"the artifact would hold text that cannot be written: {error}"
        ) from None
    return indented_json({**content, "digest": digest}), digest


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
    # As the file that is replaced; else what others need to run it, and no more.
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
    # The very file that will be the artifact is loaded again, not the data in memory.
    try:
        known = Classes(
            _templates(program),
            adapters=_adapters(program),
            retrievers=retrievers_of(program, handed=True),
            proving=True,
        )
        again = read_artifact(written).program_with(known)
        rows = [row.get("inputs", row) for row in canary]
        difference = difference_of(program, again, [row for row in rows if isinstance(row, dict)])
    except LangprogError as error:
        told = str(error).removeprefix(f"{written}: ")
        raise ArtifactError(f"the program does not come back from its artifact: {told}") from None
    if difference is not None:
        raise ArtifactError(
            f"the program comes back different from its artifact ({difference}); nothing was saved"
        )


def _templates(program: Module) -> list[Handed]:
    """Return what a caller of ``load`` would hand over: classes, where they need no arguments."""
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
