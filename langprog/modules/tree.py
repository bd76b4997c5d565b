"""A program as a tree: its parts, what may be set on them, and changed copies of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from langprog.errors import FrozenError, InputError
from langprog.modules.containers import ModuleBase, modules_in, rebuild
from langprog.modules.origin import keep_origin
from langprog.notebook import list_short

if TYPE_CHECKING:
    from langprog.modules.base import Module

M = TypeVar("M", bound="Tree")

ParameterKind = Literal[
    "instruction", "demos", "model", "sampling", "adapter", "k", "threshold", "choice"
]

# Name of the root in parameter keys and paths where the program is a single built-in module.
ROOT = "program"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a compiler may set: what sort of thing it is, and its value now."""

    kind: ParameterKind
    value: Any

    def __repr__(self) -> str:
        return f"Parameter({list_short([('kind', self.kind), ('value', self.value)])})"


class Tree(ModuleBase):
    """The part of every module that lists, copies and freezes."""

    _frozen: bool = False

    # --- the parts -----------------------------------------------------------------------------

    def children(self) -> dict[str, Module]:
        """Return the modules directly inside, by name, in the order of the attributes.

        Lists, tuples, dicts, dataclasses and what else is a container are opened, however deep:
        ``stages[0][1]``, ``tools[search]``, ``pair.left``.

        Raises:
            InputError: Modules stand in a set, two have the same name, or a container holds
                itself.
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
        """Return a copy whose modules directly inside are ``children`` (every name of them).

        Its lists, dicts, sets and dataclasses are copies, too, of the same types.

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
            InputError: A module holds itself, or as for :meth:`children`.
        """
        named: dict[str, Module] = {}
        for path, module in self._walk("", {}):
            if path in named:
                raise InputError(f"two modules of the program are both called {path}: rename one")
            named[path] = module
        return named

    def _walk(self, prefix: str, met: dict[int, bool]) -> Iterator[tuple[str, Module]]:
        """Yield what was not met yet; ``met`` says of what was, whether this is inside it."""
        around = met.get(id(self))
        if around:
            raise InputError(
                f"the program holds itself: {prefix} is a module that {prefix} is a part of"
            )
        if around is not None:  # it was met, and so was everything inside it
            return
        met[id(self)] = True
        yield prefix or self.root_name(), cast("Module", self)
        for name, child in self.children().items():
            yield from child._walk(f"{prefix}.{name}" if prefix else name, met)
        met[id(self)] = False

    def root_name(self) -> str:
        """Return the path that this module has where it is the whole program."""
        return ROOT

    def modules_of(self, cls: type[M]) -> dict[str, M]:
        """Return the modules of the tree that are of a class, by path."""
        modules = self.named_modules().items()
        return {path: module for path, module in modules if isinstance(module, cls)}

    def predictors(self) -> dict[str, Any]:
        """Return every Predict by path, in a stable order: ``{"team": Predict(...), ...}``."""
        return {path: module for path, module in self.named_modules().items() if module.predicts}

    @property
    def predicts(self) -> bool:
        """Whether this module itself is a predictor (asks a model with a signature)."""
        return False

    def paths(self) -> dict[int, str]:
        """Return the path of every module of the tree by the module's id."""
        return {id(module): path for path, module in self.named_modules().items()}

    # --- parameters ----------------------------------------------------------------------------

    def own_parameters(self) -> dict[str, Parameter]:
        """Return what a compiler may set on this very module, by name."""
        return {}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these parameters of its own: attributes of the same names.

        Raises:
            InputError: There is no such parameter, or a value does not fit.
        """
        new = self.with_children(self.children())
        known = self.own_parameters()
        for name, value in values.items():
            if name not in known:
                raise InputError(f"{type(self).__name__} has no parameter {name!r}")
            if name not in vars(self):
                raise InputError(
                    f"{type(self).__name__} has the parameter {name!r} but no attribute of that "
                    "name: write with_own_parameters, which returns a copy with other values"
                )
            vars(new)[name] = value
        return new

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return values to choose from for parameters of this very module, by name.

        A search tries them beside the value that there is now. Those of a predictor (instruction,
        demonstrations, model) are not here: a search finds them itself.
        """
        return {}

    def value_label(self, name: str, value: Any) -> str:
        """Return a few words for a value of :meth:`search_space`, for reports."""
        return f"{name}={value}"

    def parameters(self) -> dict[str, Parameter]:
        """Return everything that a compiler may set: ``{"team.instruction": Parameter(...)}``."""
        return {
            f"{path}.{name}": parameter
            for path, module in self.named_modules().items()
            for name, parameter in module.own_parameters().items()
        }

    def with_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a new program with these parameters; this one stays as it is.

        Args:
            values: New values by key, as ``parameters()`` names them; others are kept.

        Raises:
            InputError: A key is not among the program's parameters, or a value does not fit.
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
        return self._rebuild(changes, {}, freeze=self._frozen)

    # --- copies --------------------------------------------------------------------------------

    def freeze(self) -> Self:
        """Return a copy that nothing can be set on."""
        return self._rebuild({}, {}, freeze=True)

    @property
    def frozen(self) -> bool:
        """Whether setting anything on the program raises."""
        return self._frozen

    def _rebuild(
        self, changes: Mapping[int, Mapping[str, Any]], done: dict[int, Any], *, freeze: bool
    ) -> Self:
        # `done` keeps what hangs in two places, a module or a list, one object in the copy.
        known = done.get(id(self))
        if known is not None:
            assert isinstance(known, type(self))
            return known
        children = {
            name: child._rebuild(changes, done, freeze=freeze)
            for name, child in self.children().items()
        }
        if type(self).with_children is Tree.with_children:
            new = self._copy(children, done)
        else:
            new = self.with_children(children)
        if id(self) in changes:
            object.__setattr__(new, "_frozen", False)
            new = new.with_own_parameters(changes[id(self)])
        object.__setattr__(new, "_frozen", freeze)
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
            raise FrozenError(f"the program is frozen: {type(self).__name__}.{name} stays")
        object.__delattr__(self, name)
