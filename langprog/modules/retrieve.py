"""Look passages up for a query: the step before a prompt that holds them."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from langprog.errors import ArtifactError, InputError, LangprogError
from langprog.hints import with_hints
from langprog.modules.base import Module
from langprog.modules.elsewhere import OF_RETRIEVE, RETRIEVER
from langprog.modules.node import Node, Strict, Types
from langprog.modules.prediction import Prediction
from langprog.modules.trace import TraceStep, recorder
from langprog.modules.tree import Parameter
from langprog.retrieval import (
    MOST,
    Passage,
    Retriever,
    RetrieverSpec,
    check_count,
    check_retriever,
    name_of,
    passages_from,
    spec_of,
)
from langprog.signature import FieldSpec, SignatureSpec

# Numbers of passages that a search tries, beside what there is now.
COUNTS = (1, 3, 5, 10)
# Numbers of candidates to rerank that a search tries.
DEPTHS = (10, 30, 100)
# The largest corpus that an artifact holds: characters as JSON.
LARGEST_KEPT = 1_000_000


class DocumentData(Strict):
    """A document of a corpus that an artifact holds."""

    id: str
    text: str
    metadata: dict[str, Any]


class RetrieverData(Strict):
    """What searches for a module's queries.

    Args:
        name: What it is handed over as when the artifact is loaded.
        kind: Its kind.
        options: Its settings.
        corpus: What tells its corpus from any other, mostly a digest.
        documents: Its corpus; null where the artifact does not hold it.
    """

    name: str
    kind: str
    options: dict[str, Any]
    corpus: str
    documents: list[DocumentData] | None


class RetrieveNode(Node):
    """Passages for a query.

    Args:
        module: Its kind.
        retriever: What searches.
        k: How many passages at most.
        query: The input field.
        passages: The output field; those of ids and scores are named after it.
        timeout: Seconds to wait for the retriever; null for as long as it takes.
        depth: How many candidates are ranked anew; absent if none are.
    """

    module: Literal["Retrieve"]
    retriever: RetrieverData
    k: int
    query: str
    passages: str
    timeout: float | None
    depth: int | None = None


class Retrieve(Module):
    r"""Look up passages for a query.

    It calls no model. Its outputs are the texts of the passages, their ids and their scores:
    ``passages``, ``passages_ids`` and ``passages_scores``. A retriever that fails is a transport
    failure: the row has no score. An empty list means that nothing fits the query.

    A compile also searches ``k``, and ``depth`` where the retriever reranks. An artifact stores
    the kind and options of the retriever and the digest of its corpus, not the corpus; the
    retriever is handed over when the program is loaded, ``lp.load(path, retrievers={name: ...})``,
    and any other one is refused.

    Example::

        import langprog as lp

        capitals = lp.BM25Retriever(
            ["Paris is the capital of France.", "Rome is the capital of Italy."], name="capitals"
        )
        program = lp.Pipeline(
            look_up=lp.Retrieve(capitals, k=1, query="question", passages="context"),
            answer=lp.Predict("question, context: list[str] -> answer"),
        )
        with lp.using(lm=lp.ScriptedLM(["[[answer]]\nRome"])):
            prediction = program(question="What is the capital of Italy?")
        assert prediction.context == ["Rome is the capital of Italy."]
        assert prediction.context_ids == ["1"]

        lp.save(program, "capitals.json")
        again = lp.load("capitals.json", retrievers={"capitals": capitals})

    Args:
        retriever: An lp.Retriever, a function of a query and a number of passages, or the name of
            one that an installed package provides.
        k: How many passages at most.
        query: The input field.
        passages: The output field of the texts, ``list[str]``; the other two add ``_ids`` and
            ``_scores`` to its name.
        name: The name under which ``lp.load`` takes the retriever; by default the retriever's own
            name, else its kind.
        timeout: Seconds to wait for the retriever; ``None`` for no limit.
        keep_corpus: Store the corpus in the artifact, so that nothing has to be handed over. Only
            for a small corpus, and a retriever that is made from its corpus alone.
        depth: How many candidates an lp.RerankRetriever ranks; by default as many as it says.

    Raises:
        InputError: The retriever, ``k`` or ``timeout`` is not what it should be, or the corpus
            cannot be kept.
        SignatureError: A field's name is not a name, or two fields have the same.
    """

    node: ClassVar[type[Node]] = RetrieveNode
    retriever: Retriever
    k: int
    name: str
    timeout: float | None
    depth: int | None

    @with_hints(OF_RETRIEVE, needed={"retriever": RETRIEVER})
    def __init__(
        self,
        retriever: Retriever | Callable[[str, int], Any] | str,
        k: int = 3,
        *,
        query: str = "query",
        passages: str = "passages",
        name: str = "",
        timeout: float | None = 60.0,
        keep_corpus: bool = False,
        depth: int | None = None,
    ) -> None:
        if isinstance(retriever, Module):
            raise InputError(
                f"the retriever of a Retrieve is a {type(retriever).__name__}, which is a module "
                "itself: call it as a step of its own"
            )
        self.retriever = check_retriever(retriever)
        self.k = check_count(k, "k of a Retrieve")
        self.depth = _check_depth(depth, self.retriever)
        self.name = name or name_of(self.retriever)
        self.timeout = _check_timeout(timeout)
        self.keep_corpus = bool(keep_corpus)
        if keep_corpus:
            _documents_of(self.retriever)
        self._signature = _signature(query, passages)
        spec_of(self.retriever)  # refuses options that no artifact can hold

    @property
    def query(self) -> str:
        """The name of the input field."""
        return next(iter(self._signature.inputs))

    @property
    def passages(self) -> str:
        """The name of the output field that holds the texts."""
        return next(iter(self._signature.outputs))

    def declared_signature(self) -> SignatureSpec:
        """Return what goes in and out."""
        return self._signature

    def children(self) -> dict[str, Module]:
        """Return nothing: what a retriever is made of is its own."""
        return {}

    def with_children(self, children: Mapping[str, Module]) -> Self:
        """Return a copy, which asks the very same retriever."""
        return copy.copy(self)

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the number of passages, and what describes the retriever.

        The description cannot be set to anything else. It is here so that programs with different
        corpora count as different programs, also in a compile's journal.
        """
        spec = spec_of(self.retriever, self.name)
        depth = {} if self.depth is None else {"depth": Parameter("k", self.depth)}
        described = Parameter("choice", spec.to_json())
        return {"k": Parameter("k", self.k), **depth, "retriever": described}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy that returns ``k`` passages.

        Raises:
            InputError: ``k`` is not a number of passages, or another retriever is described.
        """
        others = dict(values)
        spec = spec_of(self.retriever, self.name)
        wanted = RetrieverSpec.from_json(others.pop("retriever", spec.to_json()))
        difference = wanted.difference(spec)
        if difference is not None:
            raise InputError(
                f"the retriever {self.name!r} {difference}: a Retrieve keeps its retriever; make "
                "another Retrieve"
            )
        if "k" in others:
            others["k"] = check_count(others["k"], "k of a Retrieve")
        if others.get("depth") is not None:
            others["depth"] = _check_depth(others["depth"], self.retriever)
        return super().with_own_parameters(others)

    def search_space(self) -> dict[str, Sequence[int]]:
        """Return a few numbers of passages, and of candidates, as far as the corpus has them."""
        corpus = self.retriever.corpus
        most = MOST if corpus is None else len(corpus)
        counts = [count for count in COUNTS if count <= most]
        if self.depth is None:
            return {"k": counts}
        return {"k": counts, "depth": [depth for depth in DEPTHS if depth <= most]}

    def calls_per_example(self) -> int:
        """Return 0: no model is asked."""
        return 0

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data.

        Raises:
            ArtifactError: The retriever does not say what it searches.
        """
        spec = spec_of(self.retriever, self.name)
        if spec.corpus is None:
            raise ArtifactError(
                f"the retriever {self.name!r} does not say which corpus it searches, so an "
                "artifact could not tell whether that changed: "
                "lp.FunctionRetriever(function, corpus='wikipedia 2024-06-01')"
            )
        documents = _documents_of(self.retriever) if self.keep_corpus else None
        depth = {} if self.depth is None else {"depth": self.depth}
        return {
            "module": "Retrieve",
            "retriever": {**spec.to_json(), "documents": documents},
            "k": self.k,
            "query": self.query,
            "passages": self.passages,
            "timeout": self.timeout,
            **depth,
        }

    @classmethod
    def from_node(cls, node: RetrieveNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        data = node.retriever
        documents = data.model_dump()["documents"]
        if documents is not None:
            _check_small(documents)  # before an index is built of it
        spec = RetrieverSpec(data.name, data.kind, data.options, data.corpus)
        return cls(
            types.retriever(spec, documents),
            node.k,
            query=node.query,
            passages=node.passages,
            name=data.name,
            timeout=node.timeout,
            keep_corpus=documents is not None,
            depth=node.depth,
        )

    async def aforward(self, **inputs: Any) -> Prediction:
        """Ask the retriever."""
        if inputs.keys() != {self.query}:
            raise InputError(
                f"a Retrieve takes the input {self.query!r}, not {', '.join(inputs) or 'none'}"
            )
        failure: str | None = "cancelled"
        outputs: dict[str, Any] = {}
        try:
            retriever = self.retriever
            if self.depth is not None:
                retriever = retriever.with_depth(self.depth)
            passages = await passages_from(retriever, inputs[self.query], self.k, self.timeout)
            outputs = self._outputs(passages)
            failure = None
        except LangprogError as error:
            failure = str(error)
            raise
        finally:
            self._record(inputs, outputs, failure)
        return Prediction(**outputs)

    def _outputs(self, passages: Sequence[Passage]) -> dict[str, Any]:
        texts, ids, scores = self._signature.outputs
        return {
            texts: [passage.text for passage in passages],
            ids: [passage.id for passage in passages],
            scores: [float(passage.score) for passage in passages],
        }

    def _record(
        self, inputs: Mapping[str, Any], outputs: Mapping[str, Any], failure: str | None
    ) -> None:
        trace = recorder.get()
        if trace is not None:
            path = trace.paths.get(id(self))
            step = TraceStep(
                path or "retrieve",
                inputs,
                outputs,
                (),
                (),
                failure=failure,
                listed=path is not None,
            )
            trace.add(step)

    def __repr__(self) -> str:
        return f"Retrieve({self.retriever!r}, k={self.k})"


def _signature(query: str, passages: str) -> SignatureSpec:
    fields = (
        FieldSpec(query, "input", str, "what is looked for"),
        FieldSpec(passages, "output", list[str], "passages that fit it, the best first"),
        FieldSpec(f"{passages}_ids", "output", list[str], "the ids of the passages"),
        FieldSpec(f"{passages}_scores", "output", list[float], "how well the passages fit"),
    )
    return SignatureSpec("Retrieve", "", fields)


def _check_depth(depth: int | None, retriever: Retriever) -> int | None:
    if not retriever.reranks:
        if depth is not None:
            raise InputError(
                "depth= of a Retrieve is for a retriever that ranks candidates anew: "
                "lp.RerankRetriever(first, rerank=...)"
            )
        return None
    return check_count(retriever.depth if depth is None else depth, "depth of a Retrieve")


def _check_timeout(value: Any) -> float | None:
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise InputError(f"timeout of a Retrieve is a number of seconds, not {value!r:.40}")
    return float(value)


def _documents_of(retriever: Retriever) -> list[dict[str, Any]]:
    corpus = retriever.corpus
    if corpus is None or not type(retriever).from_corpus_alone:
        raise InputError(
            "keep_corpus=True is for a retriever that is made from its corpus alone, and the kind "
            f"{retriever.kind!r} is not"
        )
    documents = [document.to_json() for document in corpus]
    _check_small(documents)
    return documents


def _check_small(documents: list[dict[str, Any]]) -> None:
    size = len(json.dumps(documents, ensure_ascii=False))
    if size > LARGEST_KEPT:
        raise InputError(
            f"keep_corpus=True is for a small corpus: this one takes {size:,} characters, and "
            f"{LARGEST_KEPT:,} is the most"
        )
