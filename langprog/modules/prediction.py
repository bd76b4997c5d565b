"""What a program returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from langprog.errors import FrozenError
from langprog.hints import with_hints
from langprog.modules.trace import RunUsage, TraceStep, usage_of
from langprog.notebook import list_short, render_card

NOTHING_USED = RunUsage()
# What other libraries have on a prediction, and what there is here instead.
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "toDict": "write to_dict()",
        "get_lm_usage": "what the call took is in .usage",
        "set_lm_usage": "what the call took is in .usage",
        "completions": "several answers are drawn by lp.Vote or lp.BestOf",
    }
)


class Prediction(Mapping[str, Any]):
    """A program's outputs, typed as declared, with the run's usage and trace.

    Example::

        prediction = program(ticket="my invoice is wrong")
        prediction.team          # an output, by name; prediction["team"] is the same
        prediction.usage.calls   # what the run used
        prediction.trace         # every predictor's call

    Args:
        **values: Outputs by field name. A user's ``forward`` may return one, or a dict.
    """

    __slots__ = ("_trace", "_usage", "_values")

    _values: dict[str, Any]
    # The seconds of a run whose usage nobody has asked for yet.
    _usage: RunUsage | float
    _trace: tuple[TraceStep, ...]

    @with_hints({}, by_name="write lp.Prediction(answer=...), or lp.Prediction(**outputs)")
    def __init__(self, **values: Any) -> None:
        _fill(self, values, NOTHING_USED, ())

    @classmethod
    def of(
        cls,
        values: Mapping[str, Any],
        usage: RunUsage | float,
        trace: tuple[TraceStep, ...],
    ) -> Prediction:
        """Return ``values`` with the usage and trace of their run.

        Args:
            values: The outputs by name.
            usage: The run's usage, or the seconds that it took: the rest is then added up from
                the trace, when somebody asks for it.
            trace: The run's steps.
        """
        prediction = cls.__new__(cls)
        own = values._values if isinstance(values, Prediction) else values
        _fill(prediction, dict(own), usage, trace)
        return prediction

    @property
    def usage(self) -> RunUsage:
        """Calls, tokens, dollars and seconds of the run."""
        usage = self._usage
        if not isinstance(usage, RunUsage):
            usage = usage_of(self._trace, usage)
            object.__setattr__(self, "_usage", usage)
        return usage

    @property
    def trace(self) -> tuple[TraceStep, ...]:
        """One step for every predictor that was called."""
        return self._trace

    def to_dict(self) -> dict[str, Any]:
        """Return the outputs as a new dict."""
        return dict(self._values)

    def __getattr__(self, name: str) -> Any:
        if name in Prediction.__slots__:  # a copy that is not filled yet
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            if name in _ELSEWHERE:
                raise AttributeError(f"a prediction has no {name}: {_ELSEWHERE[name]}") from None
            known = ", ".join(self._values) or "none"
            raise AttributeError(
                f"the prediction has no output {name!r}; it has {known}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"a prediction cannot be changed (tried to set {name!r})")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Prediction):
            return self._values == other._values
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(sorted((name, repr(value)) for name, value in self._values.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Prediction.of, (self._values, self.usage, self._trace))

    def __repr__(self) -> str:
        if getattr(self, "_values", None) is None:
            return "<Prediction without values>"
        return f"Prediction({list_short(self._values.items())})"

    def _repr_html_(self) -> str:
        usage = self.usage
        calls = "1 call" if usage.calls == 1 else f"{usage.calls} calls"
        taken = [calls, f"{usage.total_tokens:,} tokens"]
        if usage.dollars:
            taken.append(f"${usage.dollars:.6f}")
        note = ", ".join([*taken, f"{usage.latency:.2f} s"]) if usage.calls else ""
        return render_card("Prediction", self._values.items(), note=note)


def _fill(
    prediction: Prediction,
    values: dict[str, Any],
    usage: RunUsage | float,
    trace: tuple[TraceStep, ...],
) -> None:
    object.__setattr__(prediction, "_values", values)
    object.__setattr__(prediction, "_usage", usage)
    object.__setattr__(prediction, "_trace", trace)
