"""Signatures: typed fields and the instruction between them.

- ``declaration``: :class:`Signature` as people write it, and :func:`signature_of`.
- ``signature``: :class:`SignatureSpec`, the value that programs hold.
- ``fields``: :class:`FieldSpec`, one field: what it takes and how it stands in a prompt.
- ``shorthand``: the short form ``"ticket -> team"``.
- ``shapes``: what a type is made of; ``phrases``: a shape in words and as a JSON schema.
- ``portable``: types as plain JSON, for artifacts. ``rebuilt``: and back.
"""

from langprog.signature.declaration import Input, Output, Signature, signature_of
from langprog.signature.fields import RESERVED, FieldSpec, whole_text
from langprog.signature.phrases import phrase
from langprog.signature.portable import type_to_json
from langprog.signature.rebuilt import type_from_json
from langprog.signature.shapes import (
    REQUIRED,
    Anything,
    Bounded,
    Choice,
    Listing,
    Mapped,
    Maybe,
    Member,
    Plain,
    Record,
    Shape,
    choices_of,
    optional_of,
    without_limits,
)
from langprog.signature.signature import SignatureSpec

__all__ = [
    "Anything",
    "Bounded",
    "Choice",
    "FieldSpec",
    "Input",
    "Listing",
    "Mapped",
    "Maybe",
    "Member",
    "Output",
    "Plain",
    "REQUIRED",
    "RESERVED",
    "Record",
    "Shape",
    "Signature",
    "SignatureSpec",
    "choices_of",
    "optional_of",
    "phrase",
    "signature_of",
    "type_from_json",
    "type_to_json",
    "whole_text",
    "without_limits",
]
