"""Write an artifact and prove that it comes back the same; read it, and trust nothing in it."""

from __future__ import annotations

import inspect
import json
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

import langprog
from langprog.adapters import Adapter
from langprog.artifact.checking import declared_by
from langprog.artifact.classes import Classes, Handed
from langprog.artifact.digest import digest_of, ordered, readable
from langprog.artifact.format import FORMAT, ArtifactData
from langprog.artifact.model_table import (
    Models,
    check_extra,
    check_names,
    model_table,
    models_in,
    with_own_sampling,
    with_recorded_models,
)
from langprog.artifact.nodes import model_names, program_from_node, program_to_json
from langprog.artifact.proof import difference_of
from langprog.artifact.secrets import refuse_secrets
from langprog.errors import ArtifactError, LangprogError
from langprog.modules import Module
from langprog.strict_json import strict_json


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact that was read and checked.

    Args:
        path: Where it was read.
        data: The file, field by field.
    """

    path: Path
    data: ArtifactData

    @property
    def digest(self) -> str:
        """``sha256:...`` over everything in the file but the digest itself."""
        return self.data.digest

    @property
    def evidence(self) -> Mapping[str, Any] | None:
        """Metric, data digests, optimizer, certificate and spend; ``None`` without a compile."""
        return self.data.evidence

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names of the models that its program asks, sorted."""
        return tuple(sorted(set(model_names(self.data.program))))

    def program(
        self,
        classes: Sequence[Handed] = (),
        allow_modules: Collection[str] = (),
        models: Models = MappingProxyType({}),
        adapters: Sequence[Adapter] = (),
    ) -> Module:
        """Return the program, frozen.

        Args:
            classes: The user's own classes that it needs, or instances to take over.
            allow_modules: Modules that may be imported to find such classes.
            models: What to ask in the place of the models that it names, by name.
            adapters: The user's own adapters that it needs.

        Raises:
            ArtifactError: A class or an adapter is missing or changed, the data describes no
                program, or a model's name holds an address.
            ModelError: It names no such model, or what is to be asked is none.
        """
        try:
            known = Classes(classes, allow_modules, adapters)
            program = program_from_node(self.data.program, known)
            return with_recorded_models(program, self.data.models, models).freeze()
        except ArtifactError as error:
            raise ArtifactError(f"{self.path}: {error}") from None
        except RecursionError:
            raise ArtifactError(f"{self.path}: the program is nested too deeply") from None


# --- writing -------------------------------------------------------------------------------------


def save_program(
    program: Module,
    path: str | os.PathLike[str],
    *,
    evidence: Mapping[str, Any] | None = None,
    canary: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Write ``program`` to an artifact, atomically, once it is proven to come back the same.

    Args:
        program: Any program; a user's own classes are written by name.
        path: The file; replaced only when the new one is complete and proven.
        evidence: What a compile found out about it; plain JSON data.
        canary: Rows that later show whether the models still answer as they did.

    Returns:
        The artifact's digest.

    Raises:
        ArtifactError: Something cannot be written, looks like a secret, or does not come back.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    _check_place(target)
    program = with_own_sampling(program)
    text, digest = _text_of(content_of(program, evidence, canary))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None
    try:
        _write(handle, text, target)
        _prove(program, Path(name), canary)
        _put(Path(name), target)
    finally:
        Path(name).unlink(missing_ok=True)
    return digest


def check_writable(program: Module) -> None:
    """Check that an artifact can hold a program, before anything is spent on it.

    Raises:
        ArtifactError: Something in it cannot be written, looks like a secret, or is an address
            where a model's name should be.
    """
    program = with_own_sampling(program)
    _text_of(content_of(program, None, ()))
    check_names({str(model) for _, model in models_in(program)})
    check_extra(program)


def _check_place(target: Path) -> None:
    if target.is_dir():
        raise ArtifactError(f"{target} is a folder: name a file in it")
    if not target.parent.is_dir():
        raise ArtifactError(f"{target} cannot be written: there is no folder {target.parent}")


def content_of(
    program: Module,
    evidence: Mapping[str, Any] | None,
    canary: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what the digest covers.

    Raises:
        ArtifactError: Something is no plain JSON, or looks like a secret.
    """
    node = program_to_json(program)
    content = {
        "format": FORMAT,
        "langprog": langprog.__version__,
        "program": node,
        "models": model_table(program),
        "evidence": None if evidence is None else dict(evidence),
        "canary": [dict(row) for row in canary],
    }
    try:
        plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the artifact would hold what is no plain JSON: {error}") from None
    plain["evidence"] = ordered(plain["evidence"])
    refuse_secrets(plain)
    return plain


def _text_of(content: dict[str, Any]) -> tuple[str, str]:
    try:
        digest = digest_of(content)
    except ValueError as error:  # half of a character, mostly
        raise ArtifactError(
            f"the artifact would hold text that cannot be written: {error}"
        ) from None
    return readable({**content, "digest": digest}), digest


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


def _put(written: Path, target: Path) -> None:
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
        again = read_artifact(written).program(_templates(program), adapters=_adapters(program))
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
    found: list[Handed] = []
    for module in program.named_modules().values():
        cls = type(module)
        try:
            inspect.signature(cls).bind()
        except (TypeError, ValueError):
            found.append(module)
        else:
            found.append(cls)
    declared = (declared_by(one.signature) for one in program.predictors().values())
    return [*found, *(cls for cls in declared if cls is not None)]


def _adapters(program: Module) -> list[Adapter]:
    own = (
        parameter.value
        for parameter in program.parameters().values()
        if parameter.kind == "adapter"
    )
    return [adapter for adapter in own if adapter is not None and not isinstance(adapter, str)]


# --- reading -------------------------------------------------------------------------------------


def read_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Read an artifact and check it; runs no code from it.

    Raises:
        ArtifactError: It is missing, damaged, tampered with, of a newer format or incomplete.
    """
    file = Path(path)
    data = _data_in(file)
    version = data["format"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(f"{file}: {version!r:.40} is no format version")
    if version > FORMAT:
        raise ArtifactError(
            f"{file} has format {version}, this langprog reads up to {FORMAT}: "
            "upgrade langprog to load it"
        )
    _check_digest(file, data)
    try:
        return Artifact(file, ArtifactData.model_validate(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(
            f"{file}: {place}: {first['msg']}; it was not written by langprog: compile again"
        ) from None


def _data_in(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ArtifactError(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise ArtifactError(f"{file} is a folder: name the artifact's file") from None
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ArtifactError(f"{file} is no artifact: it is not (JSON) text") from None
    if not text.strip():
        raise ArtifactError(f"{file} is no artifact: it is empty, not JSON")
    try:
        data = strict_json(text)
    except ValueError as error:
        cut = text.lstrip().startswith("{") and not text.rstrip().endswith("}")
        if cut:
            raise ArtifactError(
                f"{file} is cut off: its JSON does not end; copy it again, or compile again"
            ) from None
        raise ArtifactError(f"{file} is no artifact: it is not JSON ({error})") from None
    if not isinstance(data, dict) or "format" not in data:
        raise ArtifactError(f"{file} is no artifact: it has no field 'format'")
    return data


def _check_digest(file: Path, data: Mapping[str, Any]) -> None:
    stated = data.get("digest")
    if not isinstance(stated, str):
        raise ArtifactError(
            f"{file}: the field 'digest' is missing, so it cannot be checked: compile again"
        )
    try:
        digest = digest_of({key: value for key, value in data.items() if key != "digest"})
    except ValueError:  # text that cannot even be written
        digest = ""
    if stated != digest:
        raise ArtifactError(
            f"{file} was changed after it was written (its digest does not fit): "
            "restore it, or compile again"
        )


def load(
    path: str | os.PathLike[str],
    classes: Sequence[Handed] = (),
    allow_modules: Collection[str] = (),
    models: Models = MappingProxyType({}),
    adapters: Sequence[Adapter] = (),
) -> Module:
    """Load a frozen program from its artifact; runs no code from the file.

    Args:
        path: The artifact.
        classes: The user's own classes that it needs: module classes, or instances to take over
            where a class cannot be made without arguments, and Signature classes with validators.
        allow_modules: Modules, with what is inside them, that may be imported to find such
            classes.
        models: What to ask in the place of the models that it names:
            ``{"house/llama": lp.LM("house/llama", base_url="http://...")}``, or another name. A
            model that is not replaced is found by its name, but where the artifact says that it
            answered elsewhere than that name goes, and nothing here names the place, a call is
            refused: a file never decides where a prompt or a key goes. The sampling that was
            certified stays, whatever defaults the new model has.
        adapters: The user's own adapters that it names and no installed package has.

    Raises:
        ArtifactError: The artifact is damaged, changed or too new, a class or an adapter is
            missing, or a model's name holds an address.
        ModelError: ``models`` has a name that the artifact does not, or holds what is no model.
    """
    return read_artifact(path).program(classes, allow_modules, models, adapters)
