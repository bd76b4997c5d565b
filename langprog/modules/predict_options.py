"""The options of a Predict, which modules around one hand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from langprog.adapters import Adapter
from langprog.checks import Check
from langprog.example import Example
from langprog.lm import LanguageModel, ModelRef, Sampling
from langprog.modules.nearest import NearestDemos


class PredictOptions(TypedDict, total=False):
    """Arguments of :class:`~langprog.modules.predict.Predict` after the signature."""

    instruction: str | None
    demos: Sequence[Example | Mapping[str, Any]]
    nearest: NearestDemos | None
    model: str | ModelRef | LanguageModel | None
    adapter: str | Adapter | None
    temperature: float | None
    max_tokens: int | None
    sampling: Sampling
    checks: Sequence[Check]
    reasks: int
