"""How values travel between a driver and its workers: pickled, with models by number.

Pickles go only between the processes of one run, over Ray's own channels; nothing is stored.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from langprog.errors import InputError, LangprogError
from langprog.lm import LanguageModel, ModelRef

OURS = ("langprog", "optimizers", "programs")
# What an object in a pickle can stand for: any model, and references bound to one.
Name = Callable[[LanguageModel], Any]
Find = Callable[[Any], LanguageModel]


def pack(value: Any, name: Name | None = None) -> bytes:
    """Return a value as bytes, together with the code of the user's own files that it needs.

    Args:
        value: The value.
        name: Returns what stands for a model in them; ``None`` to send models as they are.

    Raises:
        Exception: A part of the value cannot be pickled.
    """
    cloudpickle = importlib.import_module("ray.cloudpickle")
    added: list[ModuleType] = []

    class Packer(cloudpickle.CloudPickler):  # type: ignore[misc, name-defined]  # no types
        def persistent_id(self, part: Any) -> Any:
            if name is None:
                return None
            if isinstance(part, ModelRef):
                return _name_ref(part, name)
            return ("model", name(part)) if _is_model(part) else None

        def reducer_override(self, part: Any) -> Any:
            if isinstance(part, MappingProxyType):
                return MappingProxyType, (dict(part),)
            if isinstance(part, (type, FunctionType)):
                module = sys.modules.get(part.__module__)
                known = cloudpickle.list_registry_pickle_by_value()
                if module is not None and module.__name__ not in known and _is_script(module):
                    cloudpickle.register_pickle_by_value(module)
                    added.append(module)
            return super().reducer_override(part)

    file = io.BytesIO()
    try:
        Packer(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)
    return file.getvalue()


def unpack(data: bytes, find: Find | None = None) -> Any:
    """Return the value in bytes.

    Args:
        data: The bytes.
        find: Returns the model that something stands for.
    """

    class Unpacker(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            assert find is not None
            kind, *parts = pid
            if kind == "model":
                return find(parts[0])
            values, model = parts
            return ModelRef(**values, lm=find(model))

    return Unpacker(io.BytesIO(data)).load()


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


def pack_error(error: BaseException, name: Name | None = None) -> bytes:
    """Return an exception as bytes; one that cannot travel becomes a LangprogError."""
    try:
        data = pack(error, name)
        unpack(data, lambda model: model)
    except Exception:  # noqa: BLE001 - a user's exception may refuse in any way
        return pack(LangprogError(f"{type(error).__name__}: {error}"))
    return data


def pack_shared(value: Any, name: Name) -> bytes:
    """Return a value of the user's as bytes.

    Args:
        value: The value.
        name: As for :func:`pack`.

    Raises:
        InputError: A part of it cannot be sent.
    """
    try:
        return pack(value, name)
    except Exception as error:  # a user's object may refuse in any way
        what = getattr(value, "__qualname__", None) or f"the program ({type(value).__name__})"
        raise InputError(
            f"{what} cannot be sent to Ray workers ({type(error).__name__}: {error}): make what "
            "cannot be pickled (a lock, an open file, a connection) where it is used, or leave "
            "out the engine"
        ) from error


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
