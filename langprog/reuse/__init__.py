"""Reuse of answers to similar inputs, with a bound on how many are wrong.

- ``cache``: the semantic cache around a program. ``scope``: the answers of one program for one
  tenant. ``chances``: the chance that an answer is wrong. ``store``: the file.
- ``endpoint``: embeddings from an endpoint.
"""

from langprog.reuse.cache import Reusing, SemanticCache
from langprog.reuse.chances import LogisticGrid
from langprog.reuse.endpoint import EmbeddingEndpoint
from langprog.reuse.scope import Nearest, Scope

__all__ = ["EmbeddingEndpoint", "LogisticGrid", "Nearest", "Reusing", "Scope", "SemanticCache"]
