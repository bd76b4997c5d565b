"""The fields of the artifact file.

The program is a tree of nodes, each defined in its module's file. To change what is written, raise
``FORMAT``, keep the old golden files, and add a step to ``migrations``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from langprog.modules import AnyNode, Strict

FORMAT = 3


class ModelData(Strict):
    """A model that the program names, as it was when the artifact was written.

    Args:
        name: ``provider/model``, which is also its key in the table; if several models have the
            same name, the keys are ``name#1``, ``name#2``.
        endpoint: Its endpoint; ``loopback`` for the machine itself, null if unknown.
        input: Dollars per million prompt tokens; null if unknown.
        output: Dollars per million completion tokens.
        cached_input: Dollars per million prompt tokens read from the endpoint's own cache.
        price_source: The price list and its date, or ``given`` by the user; null if unknown.
        takes_schema: Whether it honors a response schema (``schema`` in the file); null if
            unknown.
        refused: Settings that its endpoint is known to reject, sorted.
    """

    name: str
    endpoint: str | None
    input: float | None
    output: float | None
    cached_input: float | None
    price_source: str | None
    takes_schema: bool | None = Field(alias="schema")
    refused: tuple[str, ...]


class ParentData(Strict):
    """An artifact that a program was made from.

    Args:
        digest: Its digest.
        how: ``compiled`` by an optimizer, ``edited`` by hand, or ``saved`` again unchanged.
        optimizer: The optimizer's name; null if there was none.
        langprog: The version of langprog that made the next artifact from it.
    """

    digest: str
    how: Literal["compiled", "edited", "saved"]
    optimizer: str | None
    langprog: str


class AttemptData(Strict):
    """What a compile tried to certify.

    Args:
        candidate: Digest of the compiled program.
        claim: The objective, and the digest of the metric.
        holdout: Digest of all inputs in the holdout together.
        number: Number of the attempt on these rows, from 1.
        level: Allowed probability of a false claim in it.
        verdict: What shipped: ``certified``, ``uncertified`` or ``original``.
        results: Salted digests of each row with its scores, as for rows; empty without any. They
            tell whether another run of the same attempt saw the same.
    """

    candidate: str
    claim: str
    holdout: str
    number: int
    level: float
    verdict: str
    results: str


class CompileData(Strict):
    """A compile that a program has been through, and the rows that it used.

    Rows are salted digests of their inputs, sixteen hexadecimal digits each, sorted and joined by
    blanks. The salt stands beside them, because the next compile needs it. It prevents that tables
    made in advance, or the digests of another artifact, tell what the rows are; who has the file
    and can guess a row's inputs in full can still check the guess.

    Args:
        optimizer: The optimizer's name.
        langprog: The version of langprog.
        parent: Digest of the artifact whose program was compiled; null if it was in none.
        inputs: Names of the inputs that the rows have.
        salt: Hashed with every row.
        train: Rows for demonstrations and proposals.
        validation: Rows that guided the search.
        holdout: Rows that the certificate was based on; empty if nothing was tried.
        attempt: What was tried on them; null if nothing was.
    """

    optimizer: str
    langprog: str
    parent: str | None
    inputs: list[str]
    salt: str
    train: str
    validation: str
    holdout: str
    attempt: AttemptData | None


class ArtifactData(Strict):
    """The whole file.

    Args:
        format: Its format, the newest.
        langprog: The version that wrote it.
        program: The program as a tree of nodes.
        models: Every model that it names, by the name in its predictors.
        lineage: The artifacts that it was made from, newest first; empty if there are none.
        compiles: The compiles that the program has been through, newest first; those of its parts
            among them.
        evidence: A compile's evidence; null without one.
        canary: Rows that show whether the models still answer as before.
        frozen_parts: Paths of the parts that no search changes; left out if there are none.
        digest: ``sha256:...`` over the rest of the file as written, in its original format.
    """

    format: int
    langprog: str
    program: AnyNode
    models: dict[str, ModelData]
    lineage: list[ParentData]
    compiles: list[CompileData]
    evidence: dict[str, Any] | None = None
    canary: list[dict[str, Any]] = []
    frozen_parts: list[str] = []
    digest: str
