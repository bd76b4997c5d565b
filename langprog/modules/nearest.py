"""Demonstrations chosen for each input: the examples that are nearest to it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from langprog.errors import ArtifactError, FrozenError, InputError
from langprog.example import Example, example_from
from langprog.hints import with_hints
from langprog.knobs import check_argument, takes_whole
from langprog.modules.elsewhere import OF_NEAREST
from langprog.modules.nearest_index import DemoIndex, comparable_inputs
from langprog.modules.node import Strict
from langprog.modules.parameter_data import demo_from_data, demo_to_data
from langprog.notebook import shorten
from langprog.retrieval import Embedder
from langprog.runtime import run_sync
from langprog.signature import SignatureSpec


class NearestData(Strict):
    """Demonstrations that are chosen for each input, as data; the index is built again.

    Args:
        examples: The pool, by field name.
        sources: Keys of the training rows that they come from; empty if they come from none.
        k: How many are shown.
        on: The inputs that are compared; empty for all.
        embedder: The name of the function that embeds texts; null for shared words (BM25).
    """

    examples: list[dict[str, Any]]
    sources: list[str]
    k: int
    on: list[str]
    embedder: str | None


class NearestDemos:
    r"""Examples of which a predictor shows those that are nearest to its input.

    A predictor shows them after its ``demos``, which stay the same for all inputs, so that prompts
    have a long beginning in common; and in the order of the examples, not of their nearness, so
    that inputs with the same neighbours have the same beginning. Where fewer than ``k`` are near
    (no word in common), the first of the others make up for them.

    An example with the very inputs of a call is not shown in it: scores on rows that it was made
    of are then honest, and what was certified on other rows is what runs.

    Follows: What Makes Good In-Context Examples for GPT-3? (Liu et al., 2022), KATE. Differs:
    words (BM25) by default, any embedding function otherwise; the order is that of the pool.

    Example::

        import langprog as lp

        tickets = [
            {"ticket": "I was charged twice", "team": "billing"},
            {"ticket": "the router is offline", "team": "network"},
            {"ticket": "my invoice was charged to a friend", "team": "billing"},
        ]
        program = lp.Predict("ticket -> team", nearest=lp.NearestDemos(tickets, k=2))
        model = lp.ScriptedLM(["[[team]]\nbilling"])
        with lp.using(lm=model):
            program(ticket="why was I charged for an invoice?")
        prompt = " ".join(message.content for message in model.requests[0].messages)
        assert "charged twice" in prompt and "router" not in prompt

    Args:
        examples: The pool: inputs and outputs of the predictor.
        k: How many of them are shown.
        by: A function that takes a list of texts and returns a vector for each, perhaps async;
            by default, words in common count.
        embedder: The name of that function, such as a model and its revision. An artifact stores
            it; ``lp.load(path, retrievers={name: function})`` hands the function over.
        on: The inputs that are compared; by default all that are not images, sounds or files.
        sources: A key for each example that says which row it comes from; an optimizer sets them.

    Raises:
        InputError: There are no examples, or an argument is invalid.
    """

    examples: tuple[Example, ...]
    k: int
    by: Embedder | None
    embedder: str
    on: tuple[str, ...]
    sources: tuple[str, ...]
    _left_out: frozenset[int]
    _index: DemoIndex | None

    @with_hints(OF_NEAREST)
    def __init__(
        self,
        examples: Sequence[Example | Mapping[str, Any]],
        k: int = 4,
        *,
        by: Embedder | None = None,
        embedder: str = "",
        on: Sequence[str] = (),
        sources: Sequence[str] = (),
    ) -> None:
        check_argument("NearestDemos", "k", k, takes_whole(1, 1000))
        pool = tuple(
            example_from(example, f"example {index} of a NearestDemos")
            for index, example in enumerate(examples)
        )
        if not pool:
            raise InputError("a NearestDemos needs examples: its pool is empty")
        if by is not None and (not callable(by) or isinstance(by, type)):
            raise InputError(f"by= of a NearestDemos is a function of texts, not {by!r:.60}")
        if not isinstance(embedder, str):
            raise InputError(
                f"embedder= of a NearestDemos names the function by=, and is no {embedder!r:.60}"
            )
        if (by is None) != (not embedder.strip()):
            raise InputError(
                "embedder= of a NearestDemos names the function by=, such as a model and its "
                "revision: give both or none"
            )
        if isinstance(on, str):
            raise InputError(f"on= of a NearestDemos is a list of inputs: on=[{on!r}]")
        if sources and len(sources) != len(pool):
            raise InputError("sources= of a NearestDemos has one key for each example")
        self._set(
            examples=pool,
            k=k,
            by=by,
            embedder=embedder,
            on=tuple(on),
            sources=tuple(sources),
            _left_out=frozenset(),
            _index=None,
        )

    def _set(self, **values: Any) -> NearestDemos:
        vars(self).update(values)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"a NearestDemos cannot be changed (tried to set {name!r})")

    # --- copies ---------------------------------------------------------------------------------

    def with_k(self, k: int) -> NearestDemos:
        """Return a copy that shows ``k``, with the same index.

        Raises:
            InputError: ``k`` is not a number of demonstrations.
        """
        check_argument("NearestDemos", "k", k, takes_whole(1, 1000))
        return copy.copy(self)._set(k=k)

    def without(self, sources: Collection[str]) -> NearestDemos:
        """Return a copy that shows none of the examples that come from these rows."""
        own = {place for place, source in enumerate(self.sources) if source in sources}
        return copy.copy(self)._set(_left_out=self._left_out | own)

    def prepared(self, signature: SignatureSpec) -> NearestDemos:
        """Return a copy with an index for a signature; itself if it has one already.

        With an embedder, this calls it for all examples and waits.

        Raises:
            InputError: The examples do not fit the signature, or nothing can be compared.
            LangprogError: The embedder failed, or this is called from asynchronous code.
        """
        names = tuple(self.on) or comparable_inputs(signature)
        if self._index is not None and self._index.names == names:
            return self
        self._check_examples(signature, names)
        index = DemoIndex(signature, names, self.examples, self.by, self.embedder)
        return copy.copy(self)._set(_index=index)

    def _check_examples(self, signature: SignatureSpec, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in signature.inputs]
        if unknown or not names:
            raise InputError(
                f"a NearestDemos compares inputs, and {signature.name} has none called "
                f"{', '.join(unknown) or 'anything that is text'}; its inputs are "
                f"{', '.join(signature.inputs)}"
            )
        for index, example in enumerate(self.examples):
            lacking = [name for name in names if name not in example]
            if lacking or not any(name in example for name in signature.outputs):
                what = ", ".join(lacking) or f"any output of {', '.join(signature.outputs)}"
                raise InputError(f"example {index} of the NearestDemos lacks {what}")

    # --- choosing -------------------------------------------------------------------------------

    def choose(self, signature: SignatureSpec, inputs: Mapping[str, Any]) -> tuple[Example, ...]:
        """Return the demonstrations for some inputs, and wait for them.

        Raises:
            TransportError: The embedder failed.
        """
        if self.by is not None:
            return run_sync(self.achoose(signature, inputs))
        index, query, barred = self._ask(signature, inputs)
        return self._fill(index.search_words(query, self.k + len(barred)), barred)

    async def achoose(
        self, signature: SignatureSpec, inputs: Mapping[str, Any]
    ) -> tuple[Example, ...]:
        """Return the demonstrations for some inputs: the asynchronous version."""
        if self.by is None:
            return self.choose(signature, inputs)
        index, query, barred = self._ask(signature, inputs)
        return self._fill(await index.search_vectors(query, self.k + len(barred)), barred)

    def _ask(
        self, signature: SignatureSpec, inputs: Mapping[str, Any]
    ) -> tuple[DemoIndex, str, frozenset[int]]:
        """Return the index, the text to search for, and the places that are not shown."""
        index = self._index
        assert index is not None, "a predictor prepares its NearestDemos"
        barred = self._left_out | index.places_of(signature, inputs)
        return index, index.text_of(signature, inputs), barred

    def _fill(self, near: Sequence[int], barred: frozenset[int]) -> tuple[Example, ...]:
        chosen = [place for place in near if place not in barred][: self.k]
        if len(chosen) < self.k:
            known = barred.union(chosen)
            others = (place for place in range(len(self.examples)) if place not in known)
            chosen += islice(others, self.k - len(chosen))
        return tuple(self.examples[place] for place in sorted(chosen))

    @property
    def longest(self) -> int:
        """The most characters that its demonstrations can take in a prompt."""
        lengths = sorted(
            (sum(len(str(value)) for value in example.values()) for example in self.examples),
            reverse=True,
        )
        return sum(lengths[: self.k])

    @property
    def usual(self) -> float:
        """How many characters its demonstrations take in a prompt on average."""
        total = sum(len(str(value)) + 30 for each in self.examples for value in each.values())
        return min(self.k, len(self.examples)) * total / len(self.examples)

    # --- as data --------------------------------------------------------------------------------

    def to_data(self, signature: SignatureSpec) -> dict[str, Any]:
        """Return it as plain JSON data for :class:`NearestData`.

        Raises:
            ArtifactError: A value cannot be written.
        """
        return {
            "examples": [demo_to_data(signature, example) for example in self.examples],
            "sources": list(self.sources),
            "k": self.k,
            "on": list(self.on),
            "embedder": self.embedder or None,
        }

    @classmethod
    def from_data(
        cls,
        data: NearestData | None,
        signature: SignatureSpec,
        find_embedder: Callable[[str], Embedder],
    ) -> NearestDemos | None:
        """Make one from its data.

        Args:
            data: The data; ``None`` for none.
            signature: The predictor's.
            find_embedder: Returns the embedding function of a name.

        Raises:
            ArtifactError: The data do not fit the signature, or the function is missing.
        """
        if data is None:
            return None
        by = None if data.embedder is None else find_embedder(data.embedder)
        try:
            return cls(
                [demo_from_data(signature, example) for example in data.examples],
                data.k,
                by=by,
                embedder=data.embedder or "",
                on=data.on,
                sources=data.sources,
            )
        except ArtifactError:
            raise
        except InputError as error:
            raise ArtifactError(f"nearest demonstrations of {signature.name}: {error}") from None

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits for all that decides what is shown."""
        settings = [self.k, self.embedder, self.on, sorted(self._left_out), self.sources]
        text = json.dumps([*settings, [example.digest for example in self.examples]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return a summary as plain JSON data, for reports."""
        return {
            "k": self.k,
            "pool": len(self.examples),
            "by": self.embedder or "bm25",
            "digest": self.digest,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NearestDemos):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        by = shorten(self.embedder or "bm25", 60)
        return f"NearestDemos({len(self.examples)} examples, k={self.k}, by={by!r}, {self.digest})"


def check_nearest(signature: SignatureSpec, value: Any) -> NearestDemos | None:
    """Return demonstrations that are ready for a signature, or ``None``.

    Raises:
        InputError: It is something else, or does not fit.
    """
    if value is None:
        return None
    if not isinstance(value, NearestDemos):
        raise InputError(f"nearest= takes an lp.NearestDemos, not a {type(value).__name__}")
    return value.prepared(signature)
