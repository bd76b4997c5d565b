"""The artifact file, field by field.

The program is a tree of nodes; which fields a node has, the file of its module says. Whoever
changes what is written raises ``FORMAT``, keeps the old golden files, and adds a step to
``migrations``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from langprog.modules import AnyNode, Strict

FORMAT = 2


class ModelData(Strict):
    """A model that the program names, as it was when the artifact was written.

    Args:
        name: ``provider/model``, which is the key of the line, too; where several models have one
            name, the keys are ``name#1``, ``name#2``.
        endpoint: Where requests went; ``loopback`` for this very machine, null where not known.
        input: Dollars per million prompt tokens; null where not known.
        output: Dollars per million completion tokens.
        cached_input: Dollars per million prompt tokens that the endpoint had in its own cache.
        price_source: The price list and its date, or ``given`` by the user; null where not known.
        takes_schema: Whether it keeps to a response schema (``schema`` in the file); null where
            nobody said.
        refused: Settings that its endpoint is known to refuse, sorted.
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
        how: ``compiled`` by an optimizer, ``edited`` by hand, or ``saved`` again as it was.
        optimizer: The optimizer's name; null where there was none.
        langprog: The version of langprog that made the next one of it.
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
        models: Every model that it names, by the name that predictors have for it.
        lineage: What it was made from, the newest first; empty where it was made from no artifact.
        evidence: What a compile found out about it; null without one.
        canary: Rows that show whether the models still answer as they did.
        digest: ``sha256:...`` over the rest of the file as it was written, whatever its format.
    """

    format: int
    langprog: str
    program: AnyNode
    models: dict[str, ModelData]
    lineage: list[ParentData]
    evidence: dict[str, Any] | None = None
    canary: list[dict[str, Any]] = []
    digest: str
