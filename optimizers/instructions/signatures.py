"""The proposer's own signatures; fixed, because the embedded models are trained on them."""

from __future__ import annotations

from dataclasses import replace

from langprog.signature import SignatureSpec, signature_of


def describe_data() -> SignatureSpec:
    """Return the signature that summarizes examples."""
    return _make_signature(
        "DescribeData",
        "examples -> summary",
        "Describe what the examples are about and how inputs and outputs are related.",
    )


def propose_instruction() -> SignatureSpec:
    """Return the signature that writes an instruction from all that is known of a predictor."""
    return _make_signature(
        "ProposeInstruction",
        "program, task, summary, tip, current, examples -> instruction",
        "Write a clear instruction that makes a language model do this task well.",
    )


def improve_instruction() -> SignatureSpec:
    """Return the signature that improves an instruction given the mistakes made with it."""
    return _make_signature(
        "ImproveInstruction",
        "task, current, mistakes -> instruction",
        "Rewrite the instruction so that the mistakes do not happen again.",
    )


def drop_empty_inputs(signature: SignatureSpec, values: dict[str, str]) -> SignatureSpec:
    """Return ``signature`` without the inputs that have no value."""
    for name in list(signature.inputs):
        if not values.get(name):
            signature = signature.without_field(name)
    return signature


def _make_signature(name: str, fields: str, instruction: str) -> SignatureSpec:
    return replace(signature_of(fields, instruction), name=name)
