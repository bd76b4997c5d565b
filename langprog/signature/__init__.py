"""Signatures: typed fields and the instruction between them.

- ``fields``: :class:`FieldSpec`, one field with its type, constraints and words for a prompt.
- ``signature``: :class:`Signature` as people write it, :class:`SignatureSpec` as programs hold it.
- ``shorthand``: the short form ``"ticket -> team"``.
- ``portable``: types as plain JSON, for artifacts.
"""

from langprog.signature.fields import FieldSpec, choices_of, optional_of
from langprog.signature.portable import type_from_json, type_to_json
from langprog.signature.signature import (
    Input,
    Output,
    Signature,
    SignatureSpec,
    signature_of,
)

__all__ = [
    "FieldSpec",
    "Input",
    "Output",
    "Signature",
    "SignatureSpec",
    "choices_of",
    "optional_of",
    "signature_of",
    "type_from_json",
    "type_to_json",
]
