"""How values travel between a driver and its workers: pickled, with models by number.

Pickles go only between the processes of one run, over Ray's own channels; nothing is stored.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from langprog.engines.messages import Find, Name
from langprog.errors import InputError, LangprogError
from langprog.lm import ModelRef


def pack(value: Any, name: Name | None = None) -> bytes:
    """Return a value as bytes, together with the code of the user's own files that it needs.

    Args:
        value: The value.
        name: Returns what stands for a model in them; ``None`` to send models as they are.

    Raises:
        Exception: A part of the value cannot be pickled.
    """
    from langprog.engines.packer import Packer  # noqa: PLC0415 - it imports Ray

    file = io.BytesIO()
    packer = Packer(file, name)
    try:
        packer.dump(value)
    finally:
        packer.end()
    return file.getvalue()


def pack_messages(messages: Sequence[Any]) -> bytes:
    """Return messages as bytes: mostly plain data, and the user's values are packed already."""
    try:
        return pickle.dumps(messages, protocol=pickle.HIGHEST_PROTOCOL)
    except (TypeError, AttributeError, pickle.PicklingError):
        return pack(messages)


def unpack(data: bytes, find: Find | None = None) -> Any:
    """Return the value in bytes.

    Args:
        data: The bytes.
        find: Returns the model that something stands for.
    """
    return pickle.loads(data) if find is None else _Unpacker(io.BytesIO(data), find).load()


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, find: Find) -> None:
        super().__init__(file)
        self._find = find

    def persistent_load(self, pid: Any) -> Any:
        kind, *parts = pid
        if kind == "model":
            return self._find(parts[0])
        values, model = parts
        return ModelRef(**values, lm=self._find(model))


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
