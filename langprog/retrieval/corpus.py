"""A corpus: documents in a fixed order, identified by a digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.example import iterate_examples


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text that can be retrieved.

    Args:
        text: The text.
        id: Its id, unique in the corpus.
        metadata: Plain JSON data about it: a title, an address.
    """

    text: str
    id: str
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain JSON data, from which :meth:`Corpus.from_json` reads it."""
        return {"id": self.id, "text": self.text, "metadata": dict(self.metadata)}


class Corpus(Sequence[Document]):
    """Documents in a fixed order.

    Example::

        lp.Corpus(["Paris is the capital of France.", "Rome is the capital of Italy."])
        lp.Corpus([{"id": "fr", "text": "Paris is the capital of France.", "title": "France"}])

    Args:
        rows: Texts, or dicts with a text. A text's id is its position, ``"0"``, ``"1"``; so is
            that of a dict without an id. All other fields of a dict are metadata.
        text: The field of a dict that holds its text.
        id: The field of a dict that holds its id, a string or a whole number.

    Raises:
        InputError: There are no documents, one has no text, two have the same id, or metadata is
            not plain JSON data.
    """

    def __init__(
        self, rows: Iterable[str | Mapping[str, Any]], *, text: str = "text", id: str = "id"
    ) -> None:
        if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
            raise InputError(
                f"a corpus is a list of texts or dicts, not a {type(rows).__name__}: "
                "lp.load_corpus(path) reads a file"
            )
        places = ((f"document {index + 1} of the corpus", row) for index, row in enumerate(rows))
        self._fill(_documents(places, text, id))

    def _fill(self, documents: Iterable[Document]) -> None:
        self._documents = tuple(documents)
        if not self._documents:
            raise InputError("the corpus has no documents")

    @classmethod
    def from_json(cls, documents: Iterable[Mapping[str, Any]]) -> Corpus:
        """Return the corpus whose documents were written by :meth:`Document.to_json`.

        Raises:
            InputError: As for the class.
        """
        flat = [{"id": each["id"], "text": each["text"]} for each in documents]
        corpus = cls(flat)
        corpus._fill(
            Document(known.text, known.id, MappingProxyType(dict(each["metadata"])))
            for known, each in zip(corpus, documents, strict=True)
        )
        return corpus

    @cached_property
    def digest(self) -> str:
        """``sha256:...`` over ids, texts and metadata, in their order."""
        total = hashlib.sha256()
        for document in self._documents:
            line = json.dumps(document.to_json(), sort_keys=True, ensure_ascii=False)
            total.update(line.encode() + b"\n")
        return f"sha256:{total.hexdigest()}"

    @property
    def texts(self) -> list[str]:
        """The texts of the documents."""
        return [document.text for document in self._documents]

    def document(self, id: str) -> Document:
        """Return the document with an id.

        Raises:
            InputError: There is none.
        """
        return self._documents[self.place(id)]

    def place(self, id: str) -> int:
        """Return the position of the document with an id.

        Raises:
            InputError: There is none.
        """
        if id not in self._places:
            raise InputError(f"the corpus has no document {id!r:.80}")
        return self._places[id]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {document.id: place for place, document in enumerate(self._documents)}

    def __getitem__(self, place: Any) -> Any:
        return self._documents[place]

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def __repr__(self) -> str:
        return f"Corpus({len(self)} documents, {self.digest[:14]})"


def load_corpus(path: str | os.PathLike[str], *, text: str = "text", id: str = "id") -> Corpus:
    """Read a corpus from a JSONL, JSON, CSV or Parquet file.

    Example::

        corpus = lp.load_corpus("corpus.jsonl", id="_id")

    Args:
        path: The file; its suffix determines the format. Each row is a document.
        text: The field that holds a document's text.
        id: The field that holds its id; without one, the id is the row's position.

    Raises:
        InputError: The file is missing or empty, or a row is not a document; names the row.
    """
    rows = iterate_examples(os.fspath(path))
    places = ((f"{path}, document {index + 1}", row) for index, row in enumerate(rows))
    corpus = Corpus.__new__(Corpus)
    try:
        corpus._fill(_documents(places, text, id))
    except InputError as error:
        told = str(error)
        raise type(error)(told if str(path) in told else f"{path}: {told}") from None
    return corpus


def corpus_of(documents: Corpus | Iterable[str | Mapping[str, Any]]) -> Corpus:
    """Return a corpus as it is, and convert anything else to one.

    Raises:
        InputError: It cannot be converted.
    """
    return documents if isinstance(documents, Corpus) else Corpus(documents)


def _documents(rows: Iterable[tuple[str, Any]], text: str, id: str) -> Iterator[Document]:
    seen: dict[str, str] = {}
    for index, (place, row) in enumerate(rows):
        document = _document(row, place, index, text, id)
        if document.id in seen:
            raise InputError(
                f"{place} has the id {document.id!r:.80}, which {seen[document.id]} has already"
            )
        seen[document.id] = place
        yield document


def _document(row: Any, place: str, index: int, text: str, id: str) -> Document:
    if isinstance(row, str):
        return Document(_check_text(row, place), str(index))
    if not isinstance(row, Mapping):
        raise InputError(f"{place} is a {type(row).__name__}: give a text or a dict with a text")
    if text not in row:
        raise InputError(
            f"{place} has no field {text!r}; it has {', '.join(map(str, row)) or 'none'}: name "
            "the field that holds the text, text=..."
        )
    name = row.get(id, index)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name:
        raise InputError(f"{place} has the id {name!r:.80}: an id is a text or a whole number")
    metadata = {key: value for key, value in row.items() if key not in (text, id)}
    return Document(
        _check_text(row[text], place),
        _check_encodable(name, place),
        MappingProxyType(_plain_metadata(metadata, place)),
    )


def _check_text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        told = "is empty" if isinstance(value, str) else f"is a {type(value).__name__}, not a text"
        raise InputError(f"{place}: its text {told}")
    return _check_encodable(value, place)


def _check_encodable(value: str, place: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{place} holds half of a character, which no prompt can carry") from None
    return value


def _plain_metadata(metadata: dict[str, Any], place: str) -> dict[str, Any]:
    try:
        text = json.dumps(metadata, allow_nan=False, ensure_ascii=False)
        plain: dict[str, Any] = json.loads(_check_encodable(text, place))
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place} has metadata that is not plain JSON data: {error}") from None
    return plain
