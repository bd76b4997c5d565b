"""How near rows are to each other: by the words of their inputs."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from langprog import Example, Module
from langprog.errors import ExampleError, SignatureError
from langprog.example import plain_values

# Scripts without blanks between words have their characters compared.
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
# Cosines that are in memory at a time.
BLOCK = 4_000_000


class Nearness:
    """Cosines of rows, as vectors of words that weigh the more the rarer they are.

    Args:
        program: Its inputs are compared, but for images, sounds, files and turns.
        rows: The rows; they are known by their places.
    """

    def __init__(self, program: Module, rows: Sequence[Example]) -> None:
        self._numpy: Any = importlib.import_module("numpy")
        names = _comparable_names(program)
        counts = [Counter(_words(row, names)) for row in rows]
        columns = {word: at for at, word in enumerate(dict.fromkeys(w for c in counts for w in c))}
        sparse: Any = importlib.import_module("scipy.sparse")
        places = [(row, columns[word]) for row, each in enumerate(counts) for word in each]
        values = [float(count) for each in counts for count in each.values()]
        shape = (len(rows), max(1, len(columns)))
        matrix = sparse.csr_matrix((values, tuple(zip(*places, strict=True)) or ([], [])), shape)
        numpy = self._numpy
        known = numpy.asarray((matrix > 0).sum(axis=0)).ravel()
        rarity = numpy.log((1 + len(rows)) / (1 + known)) + 1
        matrix = matrix.log1p().multiply(rarity[None, :]).tocsr()
        length = numpy.sqrt(numpy.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        self._matrix = sparse.diags(1 / numpy.maximum(length, 1e-12)) @ matrix

    def compare(self, place: int, others: Sequence[int]) -> Any:
        """Return the cosine of one row with others, from 0 to 1, as an array."""
        return self._cosines([place], others)[0]

    def nearest(self, rows: Sequence[int], to: Sequence[int]) -> Any:
        """Return, for each of ``rows``, its cosine with the nearest row of ``to``; 0 for none."""
        best = self._numpy.zeros(len(rows))
        for block in _blocks(to, len(rows)):
            cosines = self._cosines(block, rows)
            best = self._numpy.maximum(best, cosines.max(axis=0, initial=0.0))
        return best

    def find_neighbours(self, of: Sequence[int], among: Sequence[int], k: int) -> list[int]:
        """Return the union of the k nearest rows of each of ``of``, the nearest first."""
        near: dict[int, float] = {}
        for block in _blocks(of, len(among)):
            for cosines in self._cosines(block, among):
                for at in (-cosines).argsort(kind="stable")[:k]:
                    if cosines[at] > 0:
                        near[among[at]] = max(near.get(among[at], 0.0), float(cosines[at]))
        return sorted(near, key=lambda place: (-near[place], place))

    def _cosines(self, rows: Sequence[int], others: Sequence[int]) -> Any:
        first, second = self._matrix[list(rows)], self._matrix[list(others)]
        return self._numpy.clip((first @ second.T).toarray(), 0.0, 1.0)


def _blocks(rows: Sequence[int], others: int) -> Iterator[Sequence[int]]:
    size = max(1, BLOCK // max(1, others))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _comparable_names(program: Module) -> tuple[str, ...]:
    try:
        fields = program.inputs
    except SignatureError:
        return program.input_names()
    return tuple(
        name for name, field in fields.items() if not (field.holds_media or field.is_history)
    )


def _words(row: Example, names: Sequence[str]) -> list[str]:
    texts = []
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            try:
                value = json.dumps(plain_values({name: value})[name], ensure_ascii=False)
            except ExampleError:
                continue
        texts.append(value)
    return _WORD.findall(" ".join(texts).casefold())
