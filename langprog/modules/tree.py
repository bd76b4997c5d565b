"""A program as a tree: its parts, their parameters, and modified copies."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from langprog.errors import FrozenError, InputError
from langprog.modules.containers import ModuleBase, modules_in, rebuild
from langprog.modules.elsewhere import ATTRIBUTES
from langprog.modules.origin import keep_origin
from langprog.notebook import list_short

if TYPE_CHECKING:
    from langprog.modules.base import Module

M = TypeVar("M", bound="Tree")

ParameterKind = Literal[
    "instruction",
    "text",
    "demos",
    "nearest",
    "model",
    "sampling",
    "adapter",
    "structure",
    "k",
    "threshold",
    "choice",
]

# Path of the root, as used in parameter keys if the program is a single built-in module.
ROOT = "program"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a compiler may set: its kind and its current value."""

    kind: ParameterKind
    value: Any

    def __repr__(self) -> str:
        return f"Parameter({list_short([('kind', self.kind), ('value', self.value)])})"


class Tree(ModuleBase):
    """The part of every module that lists, copies and freezes its tree."""

    _elsewhere = ATTRIBUTES
    _frozen: bool = False
    # Frozen on its own, not only together with the whole program.
    _frozen_part: bool = False

    # --- the parts -----------------------------------------------------------------------------

    def children(self) -> dict[str, Module]:
        """Return the modules directly inside, by name, in the order of the attributes.

        Lists, tuples, dicts, dataclasses and other containers are searched at any depth:
        ``stages[0][1]``, ``tools[search]``, ``pair.left``.

        Raises:
            InputError: A set contains modules, two modules have the same name, or a container
                contains itself.
        """
        parts: dict[str, Module] = {}
        for name, value in vars(self).items():
            for place, module in modules_in(value, name):
                if place in parts:
                    raise InputError(
                        f"two modules of {type(self).__name__} are both called {place}: "
                        "give their keys different names"
                    )
                parts[place] = module
        return parts

    def with_children(self, children: Mapping[str, Module]) -> Self:
        """Return a copy with other modules directly inside, given by name for every one of them.

        Its lists, dicts, sets and dataclasses are copied as well, and keep their types.

        Raises:
            InputError: A container with modules cannot be copied.
        """
        return self._copy(children, {})

    def _copy(self, children: Mapping[str, Module], done: dict[int, Any]) -> Self:
        new = copy.copy(self)
        for name, value in vars(self).items():
            vars(new)[name] = rebuild(value, name, children, done)
        return new

    def named_modules(self) -> dict[str, Module]:
        """Return every module of the tree by path, this one first; each object once.

        Raises:
            InputError: A module contains itself, or as for :meth:`children`.
        """
        named: dict[str, Module] = {}
        for path, module in self._walk("", {}):
            if path in named:
                raise InputError(f"two modules of the program are both called {path}: rename one")
            named[path] = module
        return named

    def _walk(self, prefix: str, met: dict[int, bool]) -> Iterator[tuple[str, Module]]:
        """Yield unvisited modules; ``met`` says of visited ones whether this is inside them."""
        around = met.get(id(self))
        if around:
            raise InputError(f"the program contains itself: {prefix} is inside the same module")
        if around is not None:  # visited, with everything inside it
            return
        met[id(self)] = True
        yield prefix or self.root_name(), cast("Module", self)
        for name, child in self.children().items():
            yield from child._walk(f"{prefix}.{name}" if prefix else name, met)
        met[id(self)] = False

    def root_name(self) -> str:
        """Return this module's path when it is the whole program."""
        return ROOT

    def modules_of(self, cls: type[M]) -> dict[str, M]:
        """Return the modules of a class in the tree, by path."""
        modules = self.named_modules().items()
        return {path: module for path, module in modules if isinstance(module, cls)}

    def predictors(self) -> dict[str, Any]:
        """Return every Predict by path, in a stable order: ``{"team": Predict(...), ...}``."""
        return {path: module for path, module in self.named_modules().items() if module.predicts}

    @property
    def predicts(self) -> bool:
        """Whether this module itself is a predictor (calls a model with a signature)."""
        return False

    def paths(self) -> dict[int, str]:
        """Return the path of every module in the tree, by the module's id."""
        return {id(module): path for path, module in self.named_modules().items()}

    # --- parameters ----------------------------------------------------------------------------

    def own_parameters(self) -> dict[str, Parameter]:
        """Return what a compiler may set on this module itself, by name."""
        return {}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these own parameters, set as attributes of the same names.

        Raises:
            InputError: There is no such parameter, or a value is invalid.
        """
        new = self.with_children(self.children())
        known = self.own_parameters()
        for name, value in values.items():
            if name not in known:
                raise InputError(f"{type(self).__name__} has no parameter {name!r}")
            if name not in vars(self):
                raise InputError(
                    f"{type(self).__name__} has the parameter {name!r} but no attribute of that "
                    "name: implement with_own_parameters, which returns a copy with other values"
                )
            vars(new)[name] = value
        return new

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return candidate values for this module's own parameters, by name.

        A search tries them in addition to the current value. Of a predictor, only structures are
        listed: a search finds instructions, demonstrations and models itself.
        """
        return {}

    def value_label(self, name: str, value: Any) -> str:
        """Return a short label for a value of :meth:`search_space`, for reports.

        Reports write it after the parameter, ``look_up.k=5``.
        """
        return str(value)

    def parameters(self) -> dict[str, Parameter]:
        """Return everything that a compiler may set: ``{"team.instruction": Parameter(...)}``."""
        return {
            f"{path}.{name}": parameter
            for path, module in self.named_modules().items()
            for name, parameter in module.own_parameters().items()
        }

    def with_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a new program with these parameters; this one is unchanged.

        Args:
            values: New values by key, as in ``parameters()``; others are kept.

        Raises:
            InputError: The program has no such parameter, or a value is invalid.
        """
        known = self.parameters()
        wanted: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            if key not in known:
                raise InputError(
                    f"the program has no parameter {key!r}; it has {', '.join(known) or 'none'}"
                )
            path, _, name = key.rpartition(".")
            wanted.setdefault(path, {})[name] = value
        modules = self.named_modules()
        changes = {id(modules[path]): own for path, own in wanted.items()}
        return self._rebuild(changes, {})

    # --- copies --------------------------------------------------------------------------------

    def freeze(self, *paths: str) -> Self:
        """Return a frozen copy, or a copy in which only some parts are frozen.

        No attribute of a frozen module can be set. A search still improves a program that is
        frozen as a whole, as every compiled one is, but leaves frozen parts as they are::

            program = Support().freeze("retriever", "judge")

        A module that was frozen before it became a part is a frozen part as well.

        Args:
            *paths: Parts, as ``named_modules()`` names them, each with everything inside it; the
                name of a list or dict stands for all its modules. Left out: the whole program.

        Raises:
            InputError: The program has no such part.
        """
        marked = set(self.frozen_parts())
        modules = self.named_modules()
        for path in paths:
            inside = (f"{path}.", f"{path}[")
            parts = [each for each in modules if each == path or each.startswith(inside)]
            if not parts or path == self.root_name():
                known = ", ".join(each for each in modules if modules[each] is not self)
                raise InputError(
                    f"the program has no part {path!r} to freeze; its parts are: {known or 'none'}"
                )
            marked.update(parts)
        ids = {id(modules[path]) for path in marked}
        return self._rebuild({}, {}, frozen_parts=ids, freeze=not paths)

    def frozen_parts(self) -> tuple[str, ...]:
        """Return the paths of the modules that a search leaves as they are.

        Being frozen as a whole does not count, nor does having been a frozen part of another
        program.
        """
        if self._frozen_part:
            return ()
        return tuple(
            path
            for path, module in self.named_modules().items()
            if module._frozen_part or (module._frozen and not self._frozen)
        )

    @property
    def frozen(self) -> bool:
        """Whether the program rejects changes."""
        return self._frozen

    def _rebuild(
        self,
        changes: Mapping[int, Mapping[str, Any]],
        done: dict[int, Any],
        *,
        frozen_parts: Set[int] = frozenset(),
        freeze: bool = False,
    ) -> Self:
        # `done` keeps an object that appears in two places one object in the copy.
        known = done.get(id(self))
        if known is not None:
            assert isinstance(known, type(self))
            return known
        children = {
            name: child._rebuild(changes, done, frozen_parts=frozen_parts, freeze=freeze)
            for name, child in self.children().items()
        }
        if type(self).with_children is Tree.with_children:
            new = self._copy(children, done)
        else:
            new = self.with_children(children)
        if id(self) in changes:
            object.__setattr__(new, "_frozen", False)
            new = new.with_own_parameters(changes[id(self)])
        part = self._frozen_part or id(self) in frozen_parts
        object.__setattr__(new, "_frozen", freeze or part or self._frozen)
        if part:
            object.__setattr__(new, "_frozen_part", True)
        keep_origin(self, new)
        done[id(self)] = new
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        if self._frozen:
            raise FrozenError(
                f"the program is frozen: {type(self).__name__}.{name} cannot be set; "
                "with_parameters({...}) returns a changed copy"
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if self._frozen:
            raise FrozenError(
                f"the program is frozen: {type(self).__name__}.{name} cannot be deleted"
            )
        object.__delattr__(self, name)
