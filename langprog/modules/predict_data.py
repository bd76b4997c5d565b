"""A predictor as plain data: everything that determines its prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from langprog.checks import REASKS, CheckData, check_to_data
from langprog.errors import ArtifactError
from langprog.lm import model_name
from langprog.modules.nearest import NearestData
from langprog.modules.node import ClassData, Node, Types
from langprog.modules.parameter_data import (
    SamplingData,
    adapter_to_data,
    demo_to_data,
    sampling_to_data,
)
from langprog.modules.structure import ask_for
from langprog.signature import SignatureSpec

if TYPE_CHECKING:
    from langprog.modules.predict import Predict


class PredictNode(Node):
    """A predictor with everything that determines its prompts.

    Args:
        module: Its kind.
        signature: Name, instruction and fields, with full types.
        demos: Demonstrations, by field name.
        model: The model's name; null for the ambient one.
        adapter: Name and version, ``chat@1``, or ``auto``; null for the ambient one.
        sampling: How completions are drawn.
        checked_by: The Signature class whose types validate values with code; absent if there is
            none.
        nearest: Demonstrations that are chosen for each input; absent if there are none.
        structure: The outputs that it asks for, in order; absent if they are the signature's.
        checks: What its answers have to satisfy; absent if there are none.
        reasks: How often an answer that fails is asked for again; absent without checks.
    """

    module: Literal["Predict"]
    signature: dict[str, Any]
    demos: list[dict[str, Any]]
    model: str | None
    adapter: str | None
    sampling: SamplingData
    checked_by: ClassData | None = None
    nearest: NearestData | None = None
    structure: list[str] | None = None
    checks: tuple[CheckData, ...] = ()
    reasks: int = REASKS

    def model_names(self) -> Iterator[str]:
        """Yield the name of its model, if it has one."""
        return iter(() if self.model is None else (self.model,))


def predict_to_data(predictor: Predict, declared: SignatureSpec, types: Types) -> dict[str, Any]:
    """Return a predictor as the data of its node.

    Args:
        predictor: The predictor.
        declared: Its signature as its author wrote it.
        types: Describes types that plain data cannot express.

    Raises:
        ArtifactError: It contains something that an artifact cannot store.
    """
    signature = predictor.signature
    declared = replace(declared, instruction=signature.instruction)
    data: dict[str, Any] = {
        "module": "Predict",
        "signature": declared.to_json(),
        "demos": [demo_to_data(signature, demo) for demo in predictor.demos],
        "model": model_name(predictor.model),
        "adapter": adapter_to_data(predictor.adapter),
        "sampling": sampling_to_data(predictor.sampling),
    }
    if predictor.nearest is not None:
        data["nearest"] = predictor.nearest.to_data(signature)
    if tuple(signature.outputs) != tuple(declared.outputs):
        data["structure"] = list(signature.outputs)
    if predictor.checks:
        data["checks"] = [check_to_data(check, types.refer_to) for check in predictor.checks]
        data["reasks"] = predictor.reasks
    checked_by = types.checking_class(declared)
    return data if checked_by is None else {**data, "checked_by": checked_by}


def signatures_from_data(node: PredictNode, types: Types) -> tuple[SignatureSpec, SignatureSpec]:
    """Return what a predictor asks for, and its signature as its author wrote it.

    Raises:
        ArtifactError: The signature cannot be read.
        InputError: The structure does not fit it.
    """
    try:
        declared = SignatureSpec.from_json(node.signature)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"a signature cannot be read: {error}") from None
    declared = types.restore_types(declared, node.checked_by)
    structure = tuple(declared.outputs) if node.structure is None else node.structure
    return ask_for(declared, declared, structure), declared
