"""Inference in numpy: reads a prompt, caches its state, generates token after token.

A request's results must not depend on other requests. So the work is always split the same way:
everything before the last user message (the prefix) is computed separately, then the rest, then
one token at a time, one request at a time. A cached prefix is bit for bit the array that this call
would compute.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from langprog.pocket.config import Shape

Array: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class _Block:
    like: Array  # queries and keys of the convolved input, transposed for x @ w
    value: Array
    out: Array
    up: Array
    down: Array
    attention_taps: Array
    inner_taps: Array


@dataclass
class State:
    """A model's state after the tokens read so far.

    Args:
        keys: (layers, heads, head, capacity), rotated, transposed for products.
        values: (layers, heads, capacity, head).
        tails: Inputs of both convolutions at the last positions, (layers, 2, kernel - 1, width).
        length: Tokens read.
    """

    keys: Array
    values: Array
    tails: Array
    length: int = 0

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.keys.nbytes + self.values.nbytes + self.tails.nbytes

    def grow(self, capacity: int) -> State:
        """Return a copy with space for ``capacity`` tokens."""
        layers, heads, head, _ = self.keys.shape
        keys = np.empty((layers, heads, head, capacity), np.float32)
        values = np.empty((layers, heads, capacity, head), np.float32)
        keys[..., : self.length] = self.keys[..., : self.length]
        values[:, :, : self.length] = self.values[:, :, : self.length]
        return State(keys, values, self.tails.copy(), self.length)


class Network:
    """The transformer of ``training.model``, computed with numpy in 32-bit floats."""

    def __init__(self, shape: Shape, tensors: dict[str, Array]) -> None:
        self.shape = shape
        self.embedding = tensors["embedding"]
        self._scores = np.ascontiguousarray(self.embedding.T)
        self._blocks = [self._block(tensors, i) for i in range(shape.layers)]
        half = np.arange(0, shape.head, 2, dtype=np.float32) / np.float32(shape.head)
        angles = (
            np.arange(shape.context, dtype=np.float32)[:, None] * np.float32(shape.base) ** -half
        )
        self._cos, self._sin = np.cos(angles)[:, None], np.sin(angles)[:, None]

    def _block(self, tensors: dict[str, Array], i: int) -> _Block:
        d = self.shape.width
        qkv, taps = tensors[f"qkv.{i}"].copy(), tensors[f"taps.{i}"].copy()
        qkv[:d] *= np.float32(self.shape.head**-0.5)
        taps[:, -1] += 1  # the input itself is added to its convolution
        like, value, out, up, down = (
            np.ascontiguousarray(t.T)
            for t in (
                qkv[: 2 * d],
                qkv[2 * d :],
                tensors[f"out.{i}"],
                tensors[f"up.{i}"],
                tensors[f"down.{i}"],
            )
        )
        return _Block(like, value, out, up, down, taps[0], taps[1])

    def empty(self, capacity: int) -> State:
        """Return the initial state."""
        s = self.shape
        keys = np.empty((s.layers, s.heads, s.head, capacity), np.float32)
        values = np.empty((s.layers, s.heads, capacity, s.head), np.float32)
        return State(keys, values, np.zeros((s.layers, 2, s.kernel - 1, s.width), np.float32))

    def read(self, state: State, ids: Sequence[int]) -> Array:
        """Read ``ids`` into ``state`` and return the vectors at their positions."""
        start, count = state.length, len(ids)
        x = self.embedding[np.asarray(ids)] * np.float32(self.shape.width**0.5)
        cos, sin = self._cos[start : start + count], self._sin[start : start + count]
        mask = None
        if count > 1:
            mask = np.triu(np.full((count, count), -np.inf, np.float32), 1)
        for layer, block in enumerate(self._blocks):
            x = x + self._attend(block, state, layer, x, cos, sin, mask)
            inner = _convolve(_normal(x), block.inner_taps, state.tails[layer, 1])
            gate, value = np.split(inner @ block.up, 2, axis=-1)
            x = x + (gate / (1 + np.exp(-gate)) * value) @ block.down
        state.length = start + count
        return _normal(x)

    def _attend(
        self,
        block: _Block,
        state: State,
        layer: int,
        x: Array,
        cos: Array,
        sin: Array,
        mask: Array | None,
    ) -> Array:
        s, count, start = self.shape, len(x), state.length
        normal = _normal(x)
        like = _convolve(normal, block.attention_taps, state.tails[layer, 0]) @ block.like
        like = _rotate(like.reshape(count, 2 * s.heads, s.head), cos, sin)
        end = start + count
        state.keys[layer, :, :, start:end] = like[:, s.heads :].transpose(1, 2, 0)
        state.values[layer, :, start:end] = (
            (normal @ block.value).reshape(count, s.heads, s.head).transpose(1, 0, 2)
        )
        queries = np.ascontiguousarray(like[:, : s.heads].transpose(1, 0, 2))
        scores: Array = queries @ state.keys[layer, :, :, :end]
        if mask is not None:
            scores[:, :, start:] += mask
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: Array = (
            (scores @ state.values[layer, :, :end]).transpose(1, 0, 2).reshape(count, s.width)
        )
        attended: Array = mixed @ block.out
        return attended

    def logits(self, vector: Array) -> Array:
        """Return scores for every token id to follow ``vector``."""
        scores: Array = vector @ self._scores
        return scores


def _normal(x: Array) -> Array:
    eps = np.float32(np.finfo(np.float32).eps)
    normal: Array = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return normal


def _convolve(x: Array, taps: Array, tail: Array) -> Array:
    """Return the short convolution of ``x`` after ``tail``, and keep the new tail in place."""
    count, size = len(x), len(taps)
    line = np.concatenate([tail, x])
    out: Array = line[:count] * taps[0]
    for i in range(1, size):
        out += line[i : i + count] * taps[i]
    tail[:] = line[count:]
    return out


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


class Prefixes:
    """An LRU cache of the states of prefixes.

    Args:
        capacity: Maximum size in bytes (a token takes 6.4 kB at the small size).
    """

    def __init__(self, capacity: int = 320 * 2**20) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[int, ...], State] = OrderedDict()
        self._size = 0

    def state(self, network: Network, ids: tuple[int, ...]) -> tuple[State, bool]:
        """Return the state after ``ids``, which is read-only, and whether it was cached."""
        known = self._kept.get(ids)
        if known is not None:
            self._kept.move_to_end(ids)
            return known, True
        state = network.empty(len(ids))
        if ids:
            network.read(state, ids)
        if state.size <= self._capacity:
            self._kept[ids] = state
            self._size += state.size
        while self._size > self._capacity:
            _, old = self._kept.popitem(last=False)
            self._size -= old.size
        return state, False
