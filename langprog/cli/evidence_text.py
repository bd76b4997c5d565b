"""Where a program comes from and what was shown of it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langprog.artifact import Artifact
from langprog.cli.program_text import Section
from langprog.cli.shortening import Shortener

_SHIPS = {
    "certified": "the compiled program, with proof",
    "uncertified": "the compiled program, without proof",
    "original": "the program that went in",
}
MOST_SETTING = 80


def describe_models(artifact: Artifact) -> Iterator[Section]:
    """Yield the models that a program names, with address and price."""
    rows = []
    for key, model in artifact.data.models.items():
        facts = [model.endpoint] if model.endpoint else []
        if model.input is not None and model.output is not None:
            source = f", {model.price_source}" if model.price_source else ""
            facts.append(
                f"${model.input:g} in and ${model.output:g} out for a million tokens{source}"
            )
        if model.refused:
            facts.append(f"refuses {', '.join(model.refused)}")
        rows.append((key, "; ".join(facts) or "nothing is known of it"))
    if rows:
        yield Section("models", rows)


def describe_origin(artifact: Artifact) -> Iterator[str]:
    """Yield what a program was made from, newest first."""
    for parent in artifact.data.lineage:
        by = f" by {parent.optimizer}" if parent.optimizer else ""
        yield f"{parent.how}{by} from {parent.digest}"
    for record in artifact.data.compiles:
        parts = (("train", record.train), ("validation", record.validation))
        used = ", ".join(f"{len(part.split())} {name}" for name, part in parts)
        tested = len(record.holdout.split())
        tried = record.attempt
        seen = "" if tried is None else f", {tested} holdout (attempt {tried.number})"
        yield f"{record.optimizer} has used {used}{seen}"


def describe_evidence(evidence: Mapping[str, Any], texts: Shortener) -> Iterator[Section]:
    """Yield what was shown of a program, and how it was made.

    Args:
        evidence: The evidence of an artifact, which may say anything.
        texts: Cuts long texts.
    """
    port = evidence.get("port")
    if isinstance(port, dict):
        yield Section("port", list(_port(port)))
    certificate = evidence.get("certificate")
    if isinstance(certificate, dict) and certificate:
        yield Section("certificate", list(_certificate(certificate)))
    made = [row for row in _compile(evidence, texts) if row[1]]
    if made:
        yield Section("compile", made)


def _port(port: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    replaced = port.get("replaced")
    for old, new in replaced.items() if isinstance(replaced, dict) else ():
        yield "models", f"{old} -> {new}"
    yield "outcome", f"{port.get('outcome')}: {port.get('reason')}"
    for text in port.get("refused") or ():
        yield "", str(text)


# --- the certificate -----------------------------------------------------------------------------


def _certificate(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    verdict = str(data.get("verdict", "none"))
    ships = _SHIPS.get(verdict)
    yield "verdict", f"{verdict}: {data.get('reason', '')}"
    if ships:
        yield "ships", ships
    scores = _scores(data)
    if scores:
        yield "shown", scores
    changes = _numbers(data, "wins", "losses", "ties")
    if changes is not None:
        yield "", "{:g} became better, {:g} worse, {:g} stayed the same".format(*changes)
    costs = ", ".join(_costs(data))
    if costs:
        yield "a query", costs
    missing = data.get("missing")
    if missing:
        why = data.get("missing_runs") or "runs"
        yield "missing", f"{missing}: {why} without a score, counted at their worst"


def _scores(data: Mapping[str, Any]) -> str:
    """Return the scores on the holdout as a sentence; empty if there are none."""
    before, after = data.get("before"), data.get("after")
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return ""
    means = _numbers({"before": before.get("mean"), "after": after.get("mean")}, "before", "after")
    gain = _numbers(data, "difference", "low", "high", "p_value")
    if means is None or gain is None:
        return ""
    rows, distinct = data.get("rows"), data.get("n")
    told = (
        "" if not rows or not distinct or rows == distinct else f" with {distinct} distinct inputs"
    )
    change, low, high, p_value = gain
    return (
        f"on {rows or distinct} examples that no search saw{told}, the mean score went from "
        f"{means[0]:.3f} to {means[1]:.3f}: {change:+.3f}, between {low:+.3f} and {high:+.3f} "
        f"(p = {p_value:.2g})"
    )


def _costs(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a query costs, before and after."""
    before, after = data.get("cost_before"), data.get("cost_after")
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return
    named = (("calls", "{:g} -> {:g} calls"), ("tokens", "{:,.0f} -> {:,.0f} tokens"))
    for name, words in named:
        both = _numbers({"before": before.get(name), "after": after.get(name)}, "before", "after")
        if both is not None:
            yield words.format(*both)
    both = _numbers({"a": before.get("dollars"), "b": after.get("dollars")}, "a", "b")
    if both is not None and any(both):
        yield "${:.3g} -> ${:.3g} for a thousand".format(*(1000 * amount for amount in both))


def _numbers(data: Mapping[str, Any], *names: str) -> list[float] | None:
    values = [data.get(name) for name in names]
    numbers = [value for value in values if isinstance(value, (int, float))]
    return numbers if len(numbers) == len(names) else None


# --- how it was made -----------------------------------------------------------------------------


def _compile(evidence: Mapping[str, Any], texts: Shortener) -> Iterator[tuple[str, str]]:
    yield "optimizer", _optimizer(evidence.get("optimizer"), texts)
    metric = evidence.get("metric")
    yield "metric", str(metric.get("name", "")) if isinstance(metric, dict) else ""
    yield "data", ", ".join(_data(evidence.get("data"), texts))
    yield "paid", "; ".join(_spend(evidence.get("spend")))


def _optimizer(data: Any, texts: Shortener) -> str:
    if not isinstance(data, dict):
        return ""
    knobs = data.get("knobs")
    listed = [
        f"{name}={texts.cut(str(value), MOST_SETTING)}"
        for name, value in (knobs.items() if isinstance(knobs, dict) else ())
        if value not in (None, [], {}, "")
    ]
    seed = [f"seed={data['seed']}"] if "seed" in data else []
    return f"{data.get('name')}({', '.join([*listed, *seed])})"


def _data(data: Any, texts: Shortener) -> Iterator[str]:
    for name, part in data.items() if isinstance(data, dict) else ():
        if isinstance(part, dict) and "examples" in part:
            yield f"{part['examples']} {name} examples"
        else:
            yield f"{name}: {texts.cut(str(part), MOST_SETTING)}"


def _spend(data: Any) -> Iterator[str]:
    for name, part in data.items() if isinstance(data, dict) else ():
        if not isinstance(part, dict):
            continue
        amounts: Sequence[str] = [
            f"${amount:.2g}" if unit == "dollars" else f"{amount:,.0f} {unit}"
            for unit, amount in part.items()
            if isinstance(amount, (int, float))
        ]
        yield f"{name} {', '.join(amounts)}"
