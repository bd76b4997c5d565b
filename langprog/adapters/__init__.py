"""Adapters: the form in which a signature is put to a model and its answer is read.

- ``chat``: marked sections. ``json_object``: one JSON object, constrained by a schema.
- ``values``: values as text and back; ``scalars``: the plain ones among them.
- ``loose_json``: the JSON in a reply; ``json_reader``: JSON with its punctuation forgiven.
- ``thinking``, ``leftovers``, ``sentences``: what a model writes around an answer.
"""

from collections.abc import Mapping
from types import MappingProxyType

from langprog.adapters.base import Adapter
from langprog.adapters.chat import ChatAdapter
from langprog.adapters.json_object import JSONAdapter
from langprog.errors import InputError

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {adapter.name: adapter for adapter in (ChatAdapter(), JSONAdapter())}
)


def adapter_named(name: str) -> Adapter:
    """Return the adapter of that name.

    Raises:
        InputError: There is none; the message lists those that there are.
    """
    adapter = ADAPTERS.get(name)
    if adapter is None:
        raise InputError(f"there is no adapter {name!r}; there are {', '.join(ADAPTERS)}")
    return adapter


__all__ = ["ADAPTERS", "Adapter", "ChatAdapter", "JSONAdapter", "adapter_named"]
