"""Parameters as plain JSON data: sampling, models by name, demonstrations by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from langprog.adapters import Adapter, check_unclaimed, versioned_reference
from langprog.errors import ArtifactError, InputError
from langprog.example import Example, example_from
from langprog.lm import LanguageModel, ModelRef, Sampling
from langprog.modules.base import Module
from langprog.modules.node import ParameterData, Strict, Types
from langprog.signature import SignatureSpec


class SamplingData(Strict):
    """How completions are drawn; null leaves it to the endpoint."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    extra: dict[str, Any] | None = None

    def sampling(self) -> Sampling:
        """Return the settings.

        Raises:
            InputError: A value is out of range.
        """
        return Sampling(**self.model_dump())


def sampling_to_data(sampling: Sampling) -> dict[str, Any]:
    """Return sampling settings as plain JSON data for :class:`SamplingData`."""
    return asdict(sampling)


def demo_to_data(signature: SignatureSpec, demo: Example) -> dict[str, Any]:
    """Return a demonstration's values in the prompt, as plain JSON data.

    Other columns of the data are left out, as they do not reach the prompt.

    Raises:
        ArtifactError: A value cannot be written.
    """
    data: dict[str, Any] = {}
    for field in signature.fields:
        if field.name in demo:
            try:
                data[field.name] = field.plain(demo[field.name])
            except (TypeError, ValueError) as error:
                raise ArtifactError(
                    f"a demonstration of {signature.name} has a value that cannot be written: "
                    f"{error}"
                ) from None
    return data


def demo_from_data(signature: SignatureSpec, demo: Mapping[str, Any]) -> Example:
    """Return a demonstration with values of the signature's types.

    Raises:
        ArtifactError: It does not match the signature.
    """
    fields = {field.name: field for field in signature.fields}
    unknown = demo.keys() - fields.keys()
    if unknown:
        raise ArtifactError(
            f"a demonstration of {signature.name} has the field {min(unknown)!r}, "
            "which the signature lacks"
        )
    try:
        return Example(**{name: fields[name].validate(value) for name, value in demo.items()})
    except InputError as error:
        raise ArtifactError(f"a demonstration of {signature.name}: {error}") from None


def check_demos(
    signature: SignatureSpec, demos: Sequence[Example | Mapping[str, Any]]
) -> tuple[Example, ...]:
    """Return demonstrations as examples.

    Raises:
        InputError: One has no outputs.
    """
    examples = []
    for index, demo in enumerate(demos):
        example = example_from(demo, f"demonstration {index} of {signature.name}")
        if not any(name in example for name in signature.outputs):
            raise InputError(
                f"demonstration {index} of {signature.name} has none of the outputs "
                f"{', '.join(signature.outputs)}"
            )
        examples.append(example)
    return tuple(examples)


def adapter_to_data(adapter: str | Adapter | None) -> str | None:
    """Return an adapter's reference in artifacts: ``chat@1``.

    Raises:
        ArtifactError: An installed package has a different adapter of that name.
    """
    if adapter is None:
        return None
    if not isinstance(adapter, str):
        try:
            check_unclaimed(adapter)
        except InputError as error:
            raise ArtifactError(str(error)) from None
    return versioned_reference(adapter)


def own_parameters_to_data(module: Module) -> dict[str, Any]:
    """Return the parameters that a module declares itself, as plain JSON data.

    Raises:
        ArtifactError: There are demonstrations but no signature for them.
    """
    data = {}
    for name, parameter in module.own_parameters().items():
        value = parameter.value
        if parameter.kind == "sampling":
            value = sampling_to_data(value)
        elif isinstance(value, (ModelRef, LanguageModel)):
            value = value.name
        elif parameter.kind == "adapter":
            value = adapter_to_data(value)
        elif parameter.kind == "demos":
            signature = _signature_of(module)
            if signature is None:
                raise ArtifactError(
                    f"{type(module).__qualname__} has demonstrations but is not an lp.Predict: "
                    "keep a Predict inside it"
                )
            value = [demo_to_data(signature, demo) for demo in value]
        data[name] = {"kind": parameter.kind, "value": value}
    return data


def own_parameter_from_data(module: Module, parameter: ParameterData, types: Types) -> Any:
    """Return the value of a parameter that a module declares itself.

    Raises:
        ArtifactError: A demonstration does not match the module's signature, or there is no such
            adapter.
        ValidationError: A sampling setting is unknown.
    """
    if parameter.kind == "adapter" and isinstance(parameter.value, str):
        return types.adapter(parameter.value)
    if parameter.kind == "sampling":
        return SamplingData.model_validate(parameter.value).sampling()
    signature = _signature_of(module)
    if parameter.kind == "demos" and signature is not None:
        return [demo_from_data(signature, demo) for demo in parameter.value]
    return parameter.value


def _signature_of(module: Module) -> SignatureSpec | None:
    signature: SignatureSpec | None = module.signature if module.predicts else None
    return signature
