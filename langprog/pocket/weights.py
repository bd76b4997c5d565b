"""Reading and writing weights as safetensors, without the package.

Follows: the safetensors format (an eight-byte length, a JSON header, raw little-endian data).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langprog.errors import ModelError

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def read(path: Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Return a file's tensors as 32-bit floats, and its metadata.

    Raises:
        ModelError: The file is missing or not a safetensors file.
    """
    try:
        data = path.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__", {})
        tensors = {name: _tensor(data, 8 + size, entry) for name, entry in header.items()}
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise ModelError(f"cannot read the weights in {path}: {error}") from error
    return tensors, metadata


def _tensor(data: bytes, base: int, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    start, end = entry["data_offsets"]
    flat: NDArray[Any] = np.frombuffer(
        data[base + start : base + end], _TYPES[str(entry["dtype"])]
    )
    return np.ascontiguousarray(flat.reshape(entry["shape"]), np.float32)


def write(
    path: Path, tensors: Mapping[str, NDArray[np.float16]], metadata: Mapping[str, str]
) -> None:
    """Write 16-bit tensors; equal tensors give equal bytes."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in sorted(tensors.items()):
        size = tensor.size * 2
        header[name] = {
            "dtype": "F16",
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(t, "<f2").tobytes() for _, t in sorted(tensors.items()))
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
