"""The artifact file, field by field.

The program is a tree of nodes; which fields a node has, the file of its module says.
"""

from __future__ import annotations

from typing import Any

from langprog.modules import AnyNode, Strict

FORMAT = 1


class ModelData(Strict):
    """A model that the program names, as it was when the artifact was written.

    Args:
        endpoint: Where requests went; ``loopback`` for this very machine, null where not known.
        input: Dollars per million prompt tokens; null where not known.
        output: Dollars per million completion tokens.
        cached_input: Dollars per million prompt tokens that the endpoint had in its own cache.
        price_source: The price list and its date, or ``given`` by the user; null where not known.
    """

    endpoint: str | None = None
    input: float | None = None
    output: float | None = None
    cached_input: float | None = None
    price_source: str | None = None


class ArtifactData(Strict):
    """The whole file."""

    format: int
    langprog: str
    program: AnyNode
    models: dict[str, ModelData]
    evidence: dict[str, Any] | None = None
    canary: list[dict[str, Any]] = []
    digest: str
