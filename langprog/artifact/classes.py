"""The user's own classes: named in an artifact with a digest of their source, never held by it.

They come back only where the caller hands them over or allows their module to be imported, and
only while their source is what it was.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langprog.adapters import AUTO, Adapter, adapter_named, check_adapter, reference_of
from langprog.errors import ArtifactError, InputError
from langprog.modules import Module
from langprog.signature import Signature

Handed = type[Module] | Module | type[Signature]


def class_name(cls: type) -> str:
    """Return ``package.module:Class``; a script that runs as main by the name of its file."""
    return f"{_module_name(cls.__module__)}:{cls.__qualname__}"


def _module_name(name: str) -> str:
    main = sys.modules.get("__main__") if name == "__main__" else None
    if main is None:
        return name
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return name if file is None else Path(file).stem


def source_digest(*things: Any) -> str:
    """Return the digest of the source of classes or functions, so that a change is noticed.

    Raises:
        ArtifactError: A source cannot be found.
    """
    text = "\n".join(_source(thing) for thing in things)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _source(thing: Any) -> str:
    if inspect.isbuiltin(thing) or inspect.ismethoddescriptor(thing):
        return str(thing.__qualname__)  # Python's own: str.strip, say
    try:
        return inspect.cleandoc(inspect.getsource(thing))
    except (OSError, TypeError):
        parts = sorted(_functions(thing).items()) if isinstance(thing, type) else []
    try:  # a class in a notebook: its methods can still be found there
        found = [f"{name}\n{inspect.cleandoc(inspect.getsource(part))}" for name, part in parts]
    except (OSError, TypeError):
        found = []
    if not found:
        name = getattr(thing, "__qualname__", repr(thing))
        raise ArtifactError(
            f"the source of {name} cannot be found, so an artifact could not tell whether it "
            "changed: define it in a file"
        )
    return "\n".join(found)


def _functions(cls: type) -> dict[str, Any]:
    return {name: value for name, value in vars(cls).items() if inspect.isfunction(value)}


@dataclass(frozen=True, slots=True)
class Classes:
    """What the caller of ``load`` hands over or allows.

    Args:
        handed: Module classes, instances to take over, Signature classes.
        allowed: Modules (with what is inside them) that may be imported.
        adapters: The user's own adapters.
    """

    handed: Sequence[Handed] = ()
    allowed: Collection[str] = ()
    adapters: Sequence[Adapter] = ()

    def __post_init__(self) -> None:
        for thing in self.handed:
            known = isinstance(thing, Module) or (
                isinstance(thing, type) and issubclass(thing, (Module, Signature))
            )
            if not known:
                raise ArtifactError(
                    f"classes= takes lp.Module and lp.Signature classes, or programs, "
                    f"not {thing!r:.60}"
                )
        try:
            for adapter in self.adapters:
                check_adapter(adapter)
        except InputError as error:
            raise ArtifactError(f"adapters=: {error}") from None

    def adapter(self, reference: str) -> str | Adapter:
        """Return the adapter that an artifact names: the one handed over, else an installed one.

        Raises:
            ArtifactError: There is none of that name and version.
        """
        for adapter in self.adapters:
            if reference_of(adapter) == reference:
                return check_adapter(adapter)
        try:
            return reference if reference == AUTO else reference_of(adapter_named(reference))
        except InputError as error:
            raise ArtifactError(
                f"{error}; one that the artifact needs is passed to lp.load(path, adapters=[...])"
            ) from None

    def find(
        self, name: str, source: str, base: type, digest: Callable[[type], str] = source_digest
    ) -> list[Any]:
        """Return what stands for a class: the class, or instances of it.

        Args:
            name: ``package.module:Class``.
            source: The digest that its source must have.
            base: What it must be derived from.
            digest: What gives the digest of a class's source.

        Raises:
            ArtifactError: It is neither handed over nor allowed, or its source changed.
        """
        _, _, path = name.partition(":")
        found = [thing for thing in self._of(base) if class_name(_class_of(thing)) == name]
        if not found:  # the same class under another module's name, as when its file was run
            found = [
                thing
                for thing in self._of(base)
                if _class_of(thing).__qualname__ == path and digest(_class_of(thing)) == source
            ]
        found = found or [self._imported(name, base)]
        if digest(_class_of(found[0])) != source:
            raise ArtifactError(
                f"the source of {name} is not what it was when the artifact was written: "
                "compile again, or load with the version that it was compiled with"
            )
        return found

    def _of(self, base: type) -> Iterator[Handed]:
        return (thing for thing in self.handed if issubclass(_class_of(thing), base))

    def _imported(self, name: str, base: type) -> Any:
        module, _, path = name.partition(":")
        if not any(module == one or module.startswith(f"{one}.") for one in self.allowed):
            raise ArtifactError(
                f"the artifact needs your class {name}: pass it, lp.load(path, classes=[...]), or "
                f"allow its import, lp.load(path, allow_modules=[{module!r}])"
            )
        try:
            found: Any = functools.reduce(
                getattr, path.split("."), importlib.import_module(module)
            )
        except (ImportError, AttributeError, SyntaxError) as error:
            raise ArtifactError(
                f"the artifact's class {name} cannot be imported: {error}"
            ) from None
        if not (isinstance(found, type) and issubclass(found, base)):
            raise ArtifactError(f"{name} is no lp.{base.__name__}")
        return found


def _class_of(thing: Handed) -> type:
    return thing if isinstance(thing, type) else type(thing)
