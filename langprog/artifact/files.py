"""Write an artifact and prove that it comes back the same; read it, and trust nothing in it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import langprog
from langprog.artifact.digest import digest_of, readable
from langprog.artifact.format import FORMAT, ArtifactData
from langprog.artifact.nodes import known_classes, program_from_node, program_to_json
from langprog.artifact.proof import same_prompts
from langprog.artifact.secrets import refuse_secrets
from langprog.errors import ArtifactError, LangprogError
from langprog.lm import price_of
from langprog.modules import Module


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

    def program(
        self,
        classes: Sequence[type[Module] | Module] = (),
        allow_modules: Collection[str] = (),
    ) -> Module:
        """Return the program, frozen.

        Args:
            classes: The user's own module classes that it needs, or instances to take over.
            allow_modules: Modules that may be imported to find such classes.

        Raises:
            ArtifactError: A class is missing or changed.
        """
        known = known_classes(classes)
        return program_from_node(self.data.program, known, allow_modules).freeze()


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
    target = Path(path)
    content = content_of(program, evidence, canary)
    digest = digest_of(content)
    text = readable({**content, "digest": digest})
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _prove(program, Path(name))
        os.chmod(name, 0o644)
        os.replace(name, target)
    except OSError as error:
        raise ArtifactError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)
    _sync_folder(target.parent)
    return digest


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
    names = {predictor.model for predictor in program.predictors().values()} - {None}
    content = {
        "format": FORMAT,
        "langprog": langprog.__version__,
        "program": node,
        "models": {name: _priced(name) for name in sorted(names)},
        "evidence": None if evidence is None else dict(evidence),
        "canary": [dict(row) for row in canary],
    }
    try:
        plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"the artifact would hold what is no plain JSON: {error}") from None
    refuse_secrets(plain)
    return plain


def _priced(name: str) -> dict[str, float | None]:
    price = price_of(name)
    if price is None:
        return {"input": None, "output": None, "cached_input": None}
    return {"input": price.input, "output": price.output, "cached_input": price.cached_input}


def _prove(program: Module, written: Path) -> None:
    # The very file that will be the artifact is loaded again, not the data in memory.
    classes = list(program.named_modules().values())
    try:
        again = read_artifact(written).program(classes=classes)
    except LangprogError as error:
        raise ArtifactError(f"the program does not come back from its artifact: {error}") from None
    difference = same_prompts(program, again)
    if difference is not None:
        raise ArtifactError(
            f"the program comes back different from its artifact ({difference}); nothing was saved"
        )


def _sync_folder(folder: Path) -> None:
    # Makes the rename itself survive a power cut; some systems cannot open folders.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)


def read_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Read an artifact and check it; runs no code from it.

    Raises:
        ArtifactError: It is missing, damaged, tampered with, of a newer format or incomplete.
    """
    file = Path(path)
    try:
        data = json.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ArtifactError(f"{file} is no artifact: it is not (complete) JSON") from None
    if not isinstance(data, dict) or "format" not in data:
        raise ArtifactError(f"{file} is no artifact: it has no field 'format'")
    version = data["format"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(f"{file}: {version!r} is no format version")
    if version > FORMAT:
        raise ArtifactError(
            f"{file} has format {version}, this langprog reads up to {FORMAT}: "
            "upgrade langprog to load it"
        )
    stated = data.get("digest")
    if not isinstance(stated, str):
        raise ArtifactError(f"{file}: the field 'digest' is missing")
    if stated != digest_of({key: value for key, value in data.items() if key != "digest"}):
        raise ArtifactError(
            f"{file} was changed after it was written (its digest does not fit): "
            "restore it, or compile again"
        )
    try:
        return Artifact(file, ArtifactData.model_validate(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"{file}: {place}: {first['msg']}") from None


def load(
    path: str | os.PathLike[str],
    classes: Sequence[type[Module] | Module] = (),
    allow_modules: Collection[str] = (),
) -> Module:
    """Load a frozen program from its artifact; runs no code from the file.

    Args:
        path: The artifact.
        classes: The user's own module classes that it needs, or instances to take over.
        allow_modules: Modules that may be imported to find such classes.

    Raises:
        ArtifactError: The artifact is damaged, changed or too new, or a class is missing.
    """
    return read_artifact(path).program(classes, allow_modules)
