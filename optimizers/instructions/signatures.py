"""The proposer's own signatures: fixed, as the embedded models are trained on them."""

from __future__ import annotations

from dataclasses import replace

from langprog.signature import SignatureSpec, signature_of


def describe_data() -> SignatureSpec:
    """Examples in, a summary of them out."""
    return _named(
        "DescribeData",
        "examples -> summary",
        "Describe what the examples are about and how inputs and outputs are related.",
    )


def propose_instruction() -> SignatureSpec:
    """Everything known about a predictor in, a new instruction out."""
    return _named(
        "ProposeInstruction",
        "program, task, summary, tip, current, examples -> instruction",
        "Write a clear instruction that makes a language model do this task well.",
    )


def improve_instruction() -> SignatureSpec:
    """An instruction and the mistakes made with it in, a better instruction out."""
    return _named(
        "ImproveInstruction",
        "task, current, mistakes -> instruction",
        "Rewrite the instruction so that the mistakes do not happen again.",
    )


def without_empty(signature: SignatureSpec, values: dict[str, str]) -> SignatureSpec:
    """Return ``signature`` without the inputs that ``values`` has nothing for."""
    for name in list(signature.inputs):
        if not values.get(name):
            signature = signature.without_field(name)
    return signature


def _named(name: str, fields: str, instruction: str) -> SignatureSpec:
    return replace(signature_of(fields, instruction), name=name)
