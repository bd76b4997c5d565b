"""Type variables of a module: what it takes and what it gives, for type checkers alone."""

from __future__ import annotations

from typing import Any

from typing_extensions import ParamSpec, TypeVar

from langprog.modules.prediction import Prediction

Inputs = ParamSpec("Inputs", default=...)
Out = TypeVar("Out", bound=Prediction, default=Prediction)
# ``lp.Module`` without a parameter leaves open what it gives.
Out_co = TypeVar("Out_co", bound=Prediction, default=Any, covariant=True)
