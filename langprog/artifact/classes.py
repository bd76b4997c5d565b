"""The user's own classes: an artifact refers to them by name, with a digest of their source.

They are restored only if the caller passes them or allows their module to be imported, and only
if their source is unchanged. The types in their signatures come with them.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from langprog.adapters import (
    AUTO,
    Adapter,
    adapter_named,
    check_adapter,
    reference_of,
    versioned_reference,
)
from langprog.artifact.namespaces import (
    all_own_types,
    is_own_type,
    modules_of,
    things_in_class,
    things_in_module,
    things_it_imports,
)
from langprog.artifact.retrievers import HandedRetrievers
from langprog.artifact.tools import HandedTools, check_tools, find_tool
from langprog.errors import ArtifactError, InputError
from langprog.modules import Module, ToolData
from langprog.signature import Signature
from langprog.sources import source_of
from langprog.tools import Tool

HandedChecks = Mapping[str, Callable[..., Any]]
Handed = type[Module] | Module | type[Signature] | type[Any]

# What the user's own code may raise.
IMPORT_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def class_name(cls: type) -> str:
    """Return ``package.module:Class``; for a script run as main, with the name of its file."""
    return f"{module_name(cls.__module__)}:{cls.__qualname__}"


def module_name(name: str) -> str:
    """Return the name of a module; for a script run as main, that of its file."""
    main = sys.modules.get("__main__") if name == "__main__" else None
    if main is None:
        return name
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return name if file is None else Path(file).stem


def source_digest(*things: Any) -> str:
    """Return the digest of the source of classes or functions, to detect changes.

    Raises:
        ArtifactError: The source is not available.
    """
    text = "\n".join(_source(thing) for thing in things)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _source(thing: Any) -> str:
    if inspect.isbuiltin(thing) or inspect.ismethoddescriptor(thing):
        return str(thing.__qualname__)  # Python's own: str.strip, say
    try:
        return inspect.cleandoc(source_of(thing))
    except (OSError, TypeError):
        parts = sorted(_functions(thing).items()) if isinstance(thing, type) else []
    try:  # a class in a notebook, where its methods can still be found
        sources = [f"{name}\n{inspect.cleandoc(inspect.getsource(part))}" for name, part in parts]
    except (OSError, TypeError):
        sources = []
    if not sources:
        name = getattr(thing, "__qualname__", repr(thing))
        raise ArtifactError(
            f"the source of {name} cannot be found, so changes to it could not be detected: "
            "define it in a file"
        )
    return "\n".join(sources)


def _functions(cls: type) -> dict[str, Any]:
    return {name: value for name, value in vars(cls).items() if inspect.isfunction(value)}


@dataclass(frozen=True)
class Classes:
    """What the caller of ``load`` passes or allows.

    Args:
        handed: Module classes, module instances, Signature classes, and the Enums, dataclasses and
            models in signatures.
        allowed: Modules (including submodules) that may be imported.
        adapters: The user's own adapters.
        user_code: The user's module classes in the artifact, ``package.module:Class``.
        retrievers: The retrievers of the program's ``Retrieve`` modules, by name.
        checks: The functions of the program's checks, by the names of the checks.
        tools: The tools of its ``ReAct`` modules.
        proving: Whether the program is only compared with its original, so that types that are
            not available may be rebuilt ones.
    """

    handed: Sequence[Handed] = ()
    allowed: Collection[str] = ()
    adapters: Sequence[Adapter] = ()
    user_code: tuple[str, ...] = ()
    retrievers: HandedRetrievers = field(default_factory=lambda: MappingProxyType({}))
    checks: HandedChecks = field(default_factory=lambda: MappingProxyType({}))
    tools: HandedTools = ()
    proving: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.handed, (type, Module)):
            raise ArtifactError("classes= takes a list of classes: write classes=[...]")
        if isinstance(self.allowed, str):
            raise ArtifactError(
                f"allow_modules= takes a list of names: write allow_modules=[{self.allowed!r:.60}]"
            )
        for thing in self.handed:
            known = isinstance(thing, Module) or (
                isinstance(thing, type) and issubclass(thing, (Module, Signature))
            )
            if not known and not is_own_type(thing) and not _is_program_of_dspy(thing):
                raise ArtifactError(
                    "classes= takes lp.Module and lp.Signature classes, programs, Enums, "
                    "dataclasses, pydantic models, TypedDicts and NamedTuples, not "
                    f"{thing!r:.60}"
                )
        try:
            for adapter in self.adapters:
                check_adapter(adapter)
        except InputError as error:
            raise ArtifactError(f"adapters=: {error}") from None
        if not isinstance(self.retrievers, Mapping):
            raise ArtifactError(
                "retrievers= takes a dict of names: write retrievers={'bm25': ...}"
            )
        if not isinstance(self.checks, Mapping):
            raise ArtifactError(
                "checks= takes a dict of functions by name: write checks={'is_short': is_short}"
            )
        check_tools(self.tools)

    def adapter(self, reference: str) -> str | Adapter:
        """Return the adapter for a reference in an artifact: one passed, else an installed one.

        Raises:
            ArtifactError: There is no adapter of that name and version.
        """
        for adapter in self.adapters:
            if versioned_reference(adapter) == versioned_reference(reference):
                return check_adapter(adapter)
        try:
            return reference if reference == AUTO else reference_of(adapter_named(reference))
        except InputError as error:
            raise ArtifactError(
                f"{error}; pass your own adapters with lp.load(path, adapters=[...])"
            ) from None

    def tool(self, data: ToolData) -> Tool:
        """Return the tool that an artifact describes: one passed, else an allowed one.

        Raises:
            ArtifactError: It is missing, or takes other arguments.
        """
        return find_tool(data, self.tools, self._import_function)

    def given(self) -> Iterator[Any]:
        """Yield what was passed, then what is in the modules that may be imported."""
        yield from self.handed
        for name in self.allowed:
            yield from list(vars(_import_module(name)).values())

    def _import_function(self, name: str) -> Any | None:
        if not self.allows(name.partition(":")[0]):
            return None
        function = _import_object(name, "tool")
        if not callable(function) or isinstance(function, type):
            raise ArtifactError(f"the artifact's tool {name} is not a function")
        return function

    @property
    def decide_types(self) -> bool:
        """Whether rebuilt types do not suffice: user code runs, or types were passed."""
        return bool(self.handed or self.allowed or self.user_code or self.checks)

    @property
    def signatures(self) -> list[type[Signature]]:
        """The Signature classes that were passed."""
        return [
            thing
            for thing in self.handed
            if isinstance(thing, type) and issubclass(thing, Signature)
        ]

    def groups(self) -> Iterator[list[Any]]:
        """Yield groups of objects that may contain the user's types, nearest first.

        These are the objects passed, what the modules' code can see, new instances of the modules,
        and the contents of the allowed modules.
        """
        yield [*self.handed, *all_own_types(filter(is_own_type, self.handed))]
        yield self._in_classes
        yield [thing for module in self._modules for thing in things_in_module(module)]
        yield self._instances
        yield self._in_allowed
        yield [thing for module in self._modules for thing in things_it_imports(module)]

    @cached_property
    def _classes(self) -> list[type]:
        handed = [class_of(thing) for thing in self.handed if not is_own_type(thing)]
        paths = {cls.__qualname__ for cls in handed}
        others = [name for name in self.user_code if name.partition(":")[2] not in paths]
        imported = [self._try_import(name) for name in others]
        return [*handed, *(cls for cls in imported if cls is not None)]

    @cached_property
    def _in_classes(self) -> list[Any]:
        return [thing for cls in self._classes for thing in things_in_class(cls)]

    @cached_property
    def _modules(self) -> list[ModuleType]:
        around = [sys.modules.get(getattr(f, "__module__", "")) for f in self.checks.values()]
        places = [each for cls in self._classes for each in modules_of(cls)]
        return list(dict.fromkeys([*places, *(each for each in around if each is not None)]))

    def _try_import(self, name: str) -> Any:
        if not self.allows(name.partition(":")[0]):
            return None
        return self._import(name, Module)

    @cached_property
    def _in_allowed(self) -> list[Any]:
        modules = [_import_module(name) for name in self.allowed]
        return [thing for module in modules for thing in things_in_module(module)]

    @cached_property
    def _instances(self) -> list[Any]:
        instances = []
        for name in self.user_code:
            handed = [each for each in self.handed if class_name(class_of(each)) == name]
            cls = next(iter(handed), None) or self._try_import(name)
            if _is_class(cls, Module):
                try:
                    instances.append(cls())
                except IMPORT_FAILURES:  # reported when the program itself is built
                    continue
        return instances

    def find(
        self, name: str, source: str, base: type, digest: Callable[[type], str] = source_digest
    ) -> list[Any]:
        """Return a class by name: the class itself, or instances of it.

        Args:
            name: ``package.module:Class``.
            source: The expected digest of its source.
            base: Its required base class.
            digest: Computes the digest of a class's source.

        Raises:
            ArtifactError: It is neither passed nor allowed, or its source has changed.
        """
        _, _, path = name.partition(":")
        things = [thing for thing in self._handed_of(base) if class_name(class_of(thing)) == name]
        if not things:  # the same class in another module, as when its file is run
            things = [
                thing
                for thing in self._handed_of(base)
                if class_of(thing).__qualname__ == path and digest(class_of(thing)) == source
            ]
        things = things or [self._import(name, base)]
        if digest(class_of(things[0])) != source:
            raise ArtifactError(
                f"the source of {name} has changed since the artifact was written: "
                "compile again, or load with the version that it was compiled with"
            )
        return things

    def _handed_of(self, base: type) -> Iterator[Handed]:
        return (thing for thing in self.handed if issubclass(class_of(thing), base))

    def _import(self, name: str, base: type) -> Any:
        module = name.partition(":")[0]
        if not self.allows(module):
            raise ArtifactError(
                f"the artifact needs your class {name}: pass it, lp.load(path, classes=[...]), or "
                f"allow its import, lp.load(path, allow_modules=[{module!r}])"
            )
        cls = _import_object(name, "class")
        if not _is_class(cls, base):
            raise ArtifactError(f"{name} is not an lp.{base.__name__} class")
        return cls

    def allows(self, module: str) -> bool:
        """Return whether a module may be imported."""
        return any(module == name or module.startswith(f"{name}.") for name in self.allowed)


def _import_object(name: str, kind: str) -> Any:
    module, _, path = name.partition(":")
    try:
        return functools.reduce(getattr, path.split("."), importlib.import_module(module))
    except IMPORT_FAILURES as error:
        raise ArtifactError(f"the artifact's {kind} {name} cannot be imported: {error}") from None


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except IMPORT_FAILURES as error:
        raise ArtifactError(f"the allowed module {name} cannot be imported: {error}") from None


def _is_class(thing: object, base: type) -> bool:
    return isinstance(thing, type) and issubclass(thing, base)


def _is_program_of_dspy(thing: object) -> bool:
    # DSPy is not imported to find out.
    return "named_predictors" in dir(class_of(thing))


def class_of(thing: object) -> type:
    """Return a class, or that of an instance."""
    return thing if isinstance(thing, type) else type(thing)
