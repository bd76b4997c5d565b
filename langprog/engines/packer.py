"""The pickler of what goes to workers; it needs Ray's cloudpickle."""

from __future__ import annotations

import io
import pickle
import sys
import sysconfig
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from ray import cloudpickle

from langprog.engines.messages import Name
from langprog.lm import LanguageModel, ModelRef
from langprog.signature import Signature

OURS = ("langprog", "optimizers", "programs")


class Packer(cloudpickle.CloudPickler):
    """Pickles values, models by name, and code of the user's own files by value.

    Args:
        file: Where to.
        name: Returns what stands for a model; ``None`` to pickle models as they are.
    """

    def __init__(self, file: io.BytesIO, name: Name | None) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._name = name
        self._sent: list[ModuleType] = []

    def persistent_id(self, part: Any) -> Any:
        """Return what stands for a model, or for a reference to one."""
        if self._name is None:
            return None
        if isinstance(part, ModelRef):
            return _name_ref(part, self._name)
        return ("model", self._name(part)) if _is_model(part) else None

    def reducer_override(self, part: Any) -> Any:
        """Reduce what cloudpickle does not, or not in a way that langprog takes."""
        if isinstance(part, MappingProxyType):
            return MappingProxyType, (dict(part),)
        if isinstance(part, (type, FunctionType)):
            module = sys.modules.get(part.__module__)
            self._send_along(module)
            if _is_own_signature(part) and not self._is_there(part, module):
                return _reduce_signature(part)
        return super().reducer_override(part)

    def _send_along(self, module: ModuleType | None) -> None:
        known = cloudpickle.list_registry_pickle_by_value()
        if module is not None and module.__name__ not in known and _is_script(module):
            cloudpickle.register_pickle_by_value(module)
            self._sent.append(module)

    def _is_there(self, part: Any, module: ModuleType | None) -> bool:
        """Return whether a worker can import a class."""
        if module is None or module in self._sent or part.__module__ == "__main__":
            return False
        return getattr(module, part.__qualname__, None) is part

    def end(self) -> None:
        """Forget which modules went along."""
        for module in self._sent:
            cloudpickle.unregister_pickle_by_value(module)


def _is_own_signature(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Signature) and part is not Signature


def _reduce_signature(part: Any) -> Any:
    # Pickled as other classes are, it would first be a class without fields, which is refused.
    values = {
        name: value
        for name, value in vars(part).items()
        if name not in ("__dict__", "__weakref__")
    }
    return type(part), (part.__name__, part.__bases__, values)


def _name_ref(ref: ModelRef, name: Name) -> Any:
    if ref.lm is None:
        return None
    kept = ("name", "endpoint", "sampling", "price", "schema", "refused")
    return "ref", {each: getattr(ref, each) for each in kept}, name(ref.lm)


def _is_model(part: Any) -> bool:
    if isinstance(part, type):
        return False
    # Every object in a pickle comes here, so the quick question is first.
    complete = getattr(type(part), "complete", None)
    return complete is not None and isinstance(part, LanguageModel)


def _is_script(module: ModuleType) -> bool:
    """Return whether a module is a file of the user's: workers may not have it.

    A package has to be installed on the workers, as langprog is.
    """
    file = getattr(module, "__file__", None)
    if file is None or "." in module.__name__ or module.__name__ in OURS:
        return False
    if Path(file).name == "__init__.py":
        return False
    paths = sysconfig.get_paths()
    installed = {Path(paths[key]).resolve() for key in ("stdlib", "platlib", "purelib")}
    return not any(Path(file).resolve().is_relative_to(place) for place in installed)
