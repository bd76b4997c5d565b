"""The retrievers and embedders of a loaded program: those that were certified, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langprog.errors import ArtifactError, InputError
from langprog.modules import Module, Retrieve
from langprog.retrieval import (
    Corpus,
    Embedder,
    Retriever,
    RetrieverSpec,
    check_retriever,
    is_ready,
    retriever_from,
    retriever_named,
    spec_of,
)

HandedRetrievers = Mapping[str, Retriever | Corpus | Callable[[str, int], Any] | Embedder]
"""What the caller of ``load`` hands over, by name: also functions that embed texts."""


def retrievers_of(program: Module, *, handed: bool = False) -> dict[str, Retriever]:
    """Return what a program's ``Retrieve`` modules ask, by name.

    Args:
        program: The program.
        handed: Leave out those whose corpus the artifact stores.

    Raises:
        ArtifactError: Two different ones have the same name.
    """
    named: dict[str, Retriever] = {}
    kept: set[str] = set()
    for module in program.modules_of(Retrieve).values():
        other = named.setdefault(module.name, module.retriever)
        if other is not module.retriever and spec_of(other, "x") != spec_of(module.retriever, "x"):
            raise ArtifactError(
                f"two different retrievers of the program are called {module.name!r}, and an "
                "artifact tells them apart by name: lp.Retrieve(..., name=...)"
            )
        if module.keep_corpus:
            kept.add(module.name)
    return {name: each for name, each in named.items() if not (handed and name in kept)}


def embedders_of(program: Module) -> dict[str, Embedder]:
    """Return the functions that embed texts for a program's predictors, by name.

    Raises:
        ArtifactError: Two different ones have the same name, or one has that of a retriever.
    """
    named: dict[str, Embedder] = {}
    retrievers = retrievers_of(program)
    for predictor in program.predictors().values():
        nearest = predictor.nearest
        if nearest is None or nearest.by is None:
            continue
        other = named.setdefault(nearest.embedder, nearest.by)
        if other is not nearest.by or nearest.embedder in retrievers:
            raise ArtifactError(
                f"two different things of the program are called {nearest.embedder!r}, and an "
                "artifact tells them apart by name: lp.NearestDemos(..., embedder=...)"
            )
    return named


def check_names_of(program: Module, handed: HandedRetrievers) -> None:
    """Refuse a retriever that no module of a program uses.

    Raises:
        ArtifactError: The program has no retriever of that name.
    """
    names = {**retrievers_of(program), **embedders_of(program)}
    for name in handed:
        if name not in names:
            raise ArtifactError(
                f"retrievers= has {name!r:.60}, but the artifact has {', '.join(names) or 'none'}"
            )


def find_embedder(name: str, handed: HandedRetrievers) -> Embedder:
    """Return the function that embeds texts under a name.

    Raises:
        ArtifactError: It is missing, or is not a function.
    """
    given: Any = handed.get(name)
    if given is None:
        raise ArtifactError(
            f"the artifact needs your function {name!r}, which embeds texts: pass it, "
            f"lp.load(path, retrievers={{{name!r}: ...}}) or --retriever {name}=..."
        )
    if not callable(given) or isinstance(given, (Retriever, Corpus, type)):
        raise ArtifactError(
            f"retrievers= has a {type(given).__name__} for {name!r}, but the artifact needs the "
            "function of that name, which embeds texts"
        )
    function: Embedder = given
    return function


def find_retriever(
    spec: RetrieverSpec, documents: Sequence[Mapping[str, Any]] | None, handed: HandedRetrievers
) -> Retriever:
    """Return the retriever that an artifact describes.

    Args:
        spec: What the artifact knows of it.
        documents: Its corpus as data, where the artifact holds it.
        handed: What the caller of ``load`` hands over.

    Raises:
        ArtifactError: It is missing, or is not what the artifact describes.
    """
    try:
        given = _take_handed(spec, handed)
        retriever = _take_own(spec, documents) if given is None else given
        described = spec_of(retriever, spec.name)
    except ArtifactError:
        raise
    except InputError as error:
        raise ArtifactError(f"the retriever {spec.name!r}: {error}") from None
    difference = spec.difference(described)
    if difference is not None:
        raise ArtifactError(
            f"the retriever {spec.name!r} is not the one that the artifact was written with, it "
            f"{difference}: hand over that one, or compile again"
        )
    return retriever


def _take_handed(spec: RetrieverSpec, handed: HandedRetrievers) -> Retriever | None:
    given: Any = handed.get(spec.name)
    if given is None:
        return None
    if isinstance(given, Corpus):
        return retriever_from(spec.kind, given, spec.options, spec.name)
    return check_retriever(given)


def _take_own(spec: RetrieverSpec, documents: Sequence[Mapping[str, Any]] | None) -> Retriever:
    """Return the retriever that the artifact or an installed package holds."""
    if documents is not None:
        return retriever_from(spec.kind, Corpus.from_json(documents), spec.options, spec.name)
    if is_ready(spec.kind):
        return retriever_named(spec.kind)
    raise ArtifactError(
        f"the artifact needs your retriever {spec.name!r} (kind {spec.kind!r}, corpus "
        f"{spec.corpus}): pass it, lp.load(path, retrievers={{{spec.name!r}: ...}}) or "
        f"--retriever {spec.name}=..."
    )
