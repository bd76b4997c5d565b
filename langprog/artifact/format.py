"""The fields of the artifact file.

The program is a tree of nodes, each defined in its module's file. To change what is written, raise
``FORMAT``, keep the old golden files, and add a step to ``migrations``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from langprog.modules import AnyNode, Strict

FORMAT = 2


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


class ArtifactData(Strict):
    """The whole file.

    Args:
        format: Its format, the newest.
        langprog: The version that wrote it.
        program: The program as a tree of nodes.
        models: Every model that it names, by the name in its predictors.
        lineage: The artifacts that it was made from, newest first; empty if there are none.
        evidence: A compile's evidence; null without one.
        canary: Rows that show whether the models still answer as before.
        digest: ``sha256:...`` over the rest of the file as written, in its original format.
    """

    format: int
    langprog: str
    program: AnyNode
    models: dict[str, ModelData]
    lineage: list[ParentData]
    evidence: dict[str, Any] | None = None
    canary: list[dict[str, Any]] = []
    digest: str
