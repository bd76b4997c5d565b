"""Adapters: how a signature becomes a prompt, and a reply becomes values.

- ``base``: the base class, with an example of a custom adapter.
- ``chat``: marked sections. ``json_object``: one JSON object, constrained by a schema. ``xml``: an
  element for each field. ``function_call``: a tool called with the outputs.
- ``template_adapter``: a prompt template, byte for byte (``template``: its messages and its
  instruction; ``template_source``: what is written in braces).
- ``registry``: adapters by name and version, including those of installed packages.
- ``conformity``: whether a reply follows a schema.
- ``turns``: a call as messages, including images and earlier turns.
- ``values``: values as text and back; ``scalars`` and ``json_scalars``: single values; ``unions``:
  which type of a union a reply means; ``key_names``: keys of objects.
- ``loose_json``: the JSON in a reply; ``json_reader``: JSON with imperfect punctuation.
- ``thinking``, ``leftovers``, ``sentences``: what a model writes around an answer.
- ``partial``: reading a reply while it arrives, for each adapter.
"""

from langprog.adapters.base import (
    Adapter,
    build_reask,
    build_repair,
    collect_outputs,
    head_of,
    render_demos,
)
from langprog.adapters.chat import ChatAdapter
from langprog.adapters.chat_markers import case_flags, marker_source
from langprog.adapters.conformity import conforms
from langprog.adapters.function_call import ToolsAdapter
from langprog.adapters.json_object import (
    JSONAdapter,
    object_in,
    object_text,
    values_from_object,
)
from langprog.adapters.json_scalars import anything_from
from langprog.adapters.partial import PartialReader, Pieces
from langprog.adapters.partial_json import PartialObject
from langprog.adapters.registry import (
    ADAPTERS,
    AUTO,
    adapter_named,
    check_adapter,
    check_unclaimed,
    reference_of,
    same_adapter,
    versioned_reference,
)
from langprog.adapters.template import (
    DEMOS,
    LAYOUTS,
    ROLES,
    Layout,
    Role,
    Span,
    Template,
    find_instruction,
)
from langprog.adapters.template_adapter import TemplateAdapter, write_pieces, write_reply
from langprog.adapters.template_source import (
    SYNTAXES,
    Piece,
    Syntax,
    escape_text,
    guess_syntax,
    scan_template,
)
from langprog.adapters.thinking import answer_in, may_think, thinking_patterns
from langprog.adapters.turns import render_call
from langprog.adapters.value_text import encode, json_text
from langprog.adapters.values import decode, from_data
from langprog.adapters.xml import XMLAdapter

__all__ = [
    "ADAPTERS",
    "AUTO",
    "Adapter",
    "ChatAdapter",
    "DEMOS",
    "JSONAdapter",
    "LAYOUTS",
    "Layout",
    "PartialObject",
    "PartialReader",
    "Piece",
    "Pieces",
    "ROLES",
    "Role",
    "SYNTAXES",
    "Span",
    "Syntax",
    "Template",
    "TemplateAdapter",
    "ToolsAdapter",
    "XMLAdapter",
    "adapter_named",
    "answer_in",
    "anything_from",
    "build_reask",
    "build_repair",
    "case_flags",
    "check_adapter",
    "check_unclaimed",
    "collect_outputs",
    "conforms",
    "decode",
    "encode",
    "escape_text",
    "find_instruction",
    "from_data",
    "guess_syntax",
    "head_of",
    "json_text",
    "marker_source",
    "may_think",
    "object_in",
    "object_text",
    "reference_of",
    "render_call",
    "render_demos",
    "same_adapter",
    "scan_template",
    "thinking_patterns",
    "values_from_object",
    "versioned_reference",
    "write_pieces",
    "write_reply",
]
