"""Signatures: typed fields and the instruction between them.

- ``declaration``: :class:`Signature` as people write it, and :func:`signature_of`; ``marks``:
  ``Input``, ``Output`` and ``describe``; ``shorthand``: the short form ``"ticket -> team"``.
- ``signature``: :class:`SignatureSpec`, the value that programs hold.
- ``fields``: :class:`FieldSpec`, one field: what it accepts and how a prompt shows it.
- ``shapes``: what a type is made of. ``annotations``, ``records``, ``limits`` and ``unions`` read
  it from a Python type; ``phrases`` puts it into words, ``schemas`` into a JSON schema.
- ``plain_data``, ``plain_reader``, ``formats``: values as plain JSON data, and back;
  ``validators``: pydantic's validators.
- ``assignable``: whether a field takes every value of another.
- ``portable``: types as plain JSON, for artifacts. ``rebuilt``: types from that JSON.
"""

from langprog.signature.assignable import is_assignable
from langprog.signature.declaration import Signature, signature_of
from langprog.signature.fields import RESERVED, FieldSpec, whole_text
from langprog.signature.formats import read_formatted
from langprog.signature.json_parts import Unavailable
from langprog.signature.marks import Input, Output, describe
from langprog.signature.phrases import choice_text, phrase
from langprog.signature.plain_reader import Unfit, build_record, find_record
from langprog.signature.portable import factory_name, same_type, type_to_json
from langprog.signature.rebuilt import type_from_json
from langprog.signature.records import is_named_tuple, is_typed_dict
from langprog.signature.shapes import (
    FORMATTED,
    REQUIRED,
    Again,
    Anything,
    Attachment,
    Bounded,
    Choice,
    Conversation,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Member,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
    behind,
    choices_of,
    is_alias,
    optional_of,
    parts_of,
    without_limits,
)
from langprog.signature.signature import SignatureSpec, argument_schema
from langprog.signature.unions import records_by_label, tags_of

__all__ = [
    "Again",
    "Anything",
    "Attachment",
    "Bounded",
    "Choice",
    "Conversation",
    "FORMATTED",
    "FieldSpec",
    "Fixed",
    "Formatted",
    "Input",
    "Listing",
    "Mapped",
    "Maybe",
    "Member",
    "Named",
    "OneOf",
    "Output",
    "Plain",
    "REQUIRED",
    "RESERVED",
    "Record",
    "Shape",
    "Signature",
    "SignatureSpec",
    "Unavailable",
    "Unfit",
    "argument_schema",
    "behind",
    "build_record",
    "choice_text",
    "choices_of",
    "describe",
    "factory_name",
    "find_record",
    "is_alias",
    "is_assignable",
    "is_named_tuple",
    "is_typed_dict",
    "optional_of",
    "parts_of",
    "phrase",
    "read_formatted",
    "records_by_label",
    "same_type",
    "signature_of",
    "tags_of",
    "type_from_json",
    "type_to_json",
    "whole_text",
    "without_limits",
]
