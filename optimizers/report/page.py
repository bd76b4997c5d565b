"""A compile's report as one self-contained web page: no network, a short script for sorting.

- ``templates/``: the page. ``charts``: the pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langprog.artifact import Piece, diff_words
from optimizers.report import charts
from optimizers.report.rendering import content_hash, read_asset, render

# Limits that keep the page well below two megabytes for a holdout of any size.
MOST_ROWS, MOST_CHARACTERS = 300, 400

Json = Mapping[str, Any]


def render_page(report: Json) -> str:
    """Return the page for the result of ``CompileReport.to_json()``.

    Anything that a user, a model or a server wrote is shown as text. A Content-Security-Policy in
    the page allows only its own style and script, by hash.
    """
    decisions = report["decisions"]
    style, script = read_asset("report.css"), read_asset("report.js")
    markup = render(
        "report.html",
        style=style,
        script=script,
        style_hash=content_hash(style),
        script_hash=content_hash(script),
        optimizer=report["evidence"]["optimizer"]["name"],
        about=list_facts(report),
        knobs=[
            (name, json.dumps(value, ensure_ascii=False, default=str)[:MOST_CHARACTERS])
            for name, value in report["evidence"]["optimizer"]["knobs"].items()
        ],
        certificate=describe_certificate(report["evidence"]["certificate"]),
        failures=report["failures"],
        faults=[fault["text"] for fault in select_decisions(decisions, "fault")],
        warnings=[note["text"] for note in report["notes"] if note["warning"]],
        spend=list_spend(report),
        figures=_draw_figures(report),
        shares=select_decisions(decisions, "share"),
        prompts=compare_prompts(report["prompts"]),
        texts=_compare_texts(report["texts"]),
        compared=_compare_rows(report["rows"]),
        proposals=_list_proposals(decisions),
        trials=select_decisions(decisions, "trial"),
        notes=[note["text"] for note in report["notes"] if not note["warning"]],
    )
    return str(markup)


def select_decisions(decisions: Iterable[Json], what: str) -> list[Json]:
    """Return the decisions of one kind, such as ``trial``."""
    return [each["data"] for each in decisions if each["what"].rpartition(".")[2] == what]


def list_facts(report: Json) -> list[tuple[str, str]]:
    """Return what was compiled, with what, on what and when."""
    evidence, prompts = report["evidence"], report["prompts"]
    optimizer, metric = evidence["optimizer"], evidence["metric"]
    models = [
        ", ".join(
            dict.fromkeys(str(each["model"] or "ambient") for each in prompts[when].values())
        )
        for when in ("before", "after")
    ]
    data = [
        f"{part['examples']:,} {name} ({part['digest'][:12]})"
        for name, part in evidence["data"].items()
    ]
    pauses = report["sessions"] - 1
    resumed = f", resumed {'once' if pauses == 1 else f'{pauses} times'}" if pauses else ""
    return [
        ("Program", report["program"]),
        ("Model", models[0] if models[0] == models[1] else f"{models[0]} → {models[1]}"),
        ("Metric", f"{metric['name']} ({metric['digest'][:12]})"),
        ("Data", ", ".join(data)),
        ("Optimizer", f"{optimizer['name']}, seed {optimizer['seed']}"),
        ("Date", f"{report['date']}{resumed}"),
    ]


def describe_certificate(certificate: Json) -> dict[str, Any]:
    """Return the verdict, its picture, and the facts behind it."""
    before, after = certificate["before"], certificate["after"]
    card: dict[str, Any] = {
        "verdict": certificate["verdict"],
        "reason": certificate["reason"],
        "picture": "",
        "facts": [],
    }
    if before is None or after is None:
        return card
    ends = ("mean", "low", "high")
    card["picture"] = charts.draw_intervals(
        [
            ("before", *(before[name] for name in ends)),
            ("after", *(after[name] for name in ends)),
        ]
    )
    card["facts"] = [
        ("finding", certificate["finding"]),
        *_describe_tests(certificate),
        ("holdout", _describe_size(certificate)),
        (
            "inputs that became better, worse, stayed the same",
            f"{certificate['wins']}, {certificate['losses']}, {certificate['ties']}",
        ),
        *_describe_extras(certificate),
        *(
            (f"{name} per query, after / before", f"{ratio:.2f}")
            for name, ratio in certificate["ratios"].items()
            if ratio is not None
        ),
    ]
    if certificate["break_even"] is not None:
        fact = "queries until the search has paid for itself", f"{certificate['break_even']:,.0f}"
        card["facts"].append(fact)
    return card


def _describe_tests(certificate: Json) -> list[tuple[str, str]]:
    """Return the difference and what was tested, each bound with its own level."""
    low, high = certificate["low"], certificate["high"]
    tested = [
        (
            f"{claim['name']}?",
            f"{'yes' if claim['holds'] else 'not shown'} (one-sided p = {claim['p_value']:.2g}, "
            f"level {claim['level']:.2g}, bound {claim['bound']:+.3f} against "
            f"{claim['margin']:+.3g})",
        )
        for claim in certificate["claims"]
    ]
    return [
        (
            f"difference [lower bound, level {certificate['level']:.2g}; upper bound, level 0.05]",
            f"{certificate['difference']:+.3f} [{low:+.3f}, {high:+.3f}]",
        ),
        *tested,
        ("attempt on this holdout", str(certificate["attempt"])),
    ]


def _describe_size(certificate: Json) -> str:
    rows, inputs, missing = (certificate[name] for name in ("rows", "n", "missing"))
    lost = f"; {missing} missing: {certificate['missing_runs']}" if missing else ""
    return f"{rows} examples with {inputs} distinct inputs{lost}"


def _describe_extras(certificate: Json) -> list[tuple[str, str]]:
    required, repeats = certificate["must_pass"], certificate["repeats"]
    facts = []
    if required["examples"]:
        count = required["examples"] - len(required["failed"])
        facts.append(("examples that must pass", f"{count} of {required['examples']} pass"))
    if repeats is not None:
        before, after = repeats["passed_before"], repeats["passed_after"]
        passing = f"{before:.0%} of the examples before, {after:.0%} after"
        facts.append((f"all of {repeats['count']} runs pass", passing))
    return facts


def list_spend(report: Json) -> dict[str, Any]:
    """Return what was paid and what was expected."""
    rows = []
    for name, what in (
        ("paid", report["paid"]),
        ("as if nothing were cached", report["requested"]),
    ):
        dollars = "unknown" if what["dollars"] is None else f"{what['dollars']:.4f}"
        rows.append((name, what["calls"], what["tokens"], dollars))
    low, high = report["estimate"]["calls"]
    return {"rows": rows, "expected": f"{low:,.0f} to {high:,.0f}"}


def _draw_figures(report: Json) -> list[tuple[str, str]]:
    decisions, winner = report["decisions"], report["candidate"]["digest"]
    trials, importance = select_decisions(decisions, "trial"), _rank_importance(decisions)
    figures = [
        (
            charts.draw_best_by_calls(select_decisions(decisions, "best"), trials),
            "The best score so far on validation, with its 95 % interval as a band; dots are "
            "candidates that were tried.",
        ),
        (
            charts.draw_race(trials, winner),
            "The race: candidates that do well are scored on more examples. Green: the best in "
            "the end, with its 95 % interval.",
        ),
        (
            charts.draw_front(trials, winner),
            "Quality against the price of a query. The line is the Pareto front, with 95 % "
            "intervals: nothing scored on as many examples is both better and cheaper.",
        ),
        (
            charts.draw_bars(importance) if importance else "",
            "How much of the variance of the scores each choice explains.",
        ),
    ]
    return [(picture, text) for picture, text in figures if picture]


def _rank_importance(decisions: Sequence[Json]) -> list[tuple[str, float]]:
    logged = select_decisions(decisions, "importance")
    shares = logged[-1] if logged else {}
    return sorted(shares.items(), key=lambda pair: -pair[1])


def compare_prompts(prompts: Json) -> list[dict[str, Any]]:
    """Return what changed in the prompt of each predictor."""
    shown = []
    for path, before in prompts["before"].items():
        after = prompts["after"][path]
        facts = [f"{len(before['demos'])} → {len(after['demos'])} demonstrations"]
        if after.get("nearest"):
            facts.append("the {k} nearest of {pool} for each input".format(**after["nearest"]))
        if after["model"] is not None:
            facts.append(_format_change("model", before["model"], after["model"]))
        sizes = describe_size(before), describe_size(after)
        facts.append(_format_change("prompt", *sizes))
        if before["outputs"] != after["outputs"]:
            orders = (", ".join(each["outputs"]) for each in (before, after))
            facts.append(_format_change("asked for", *orders))
        if before["adapter"] != after["adapter"]:
            facts.append(_format_change("adapter", before["adapter"], after["adapter"]))
        if after.get("checks"):
            facts.append(f"checks: {', '.join(after['checks'])}")
        shown.append(
            {
                "path": path,
                "facts": "; ".join(facts),
                "pieces": diff_words(before["instruction"], after["instruction"]),
                "demos": [
                    "\n".join(f"{key}: {value}" for key, value in demo.items())
                    for demo in after["demos"]
                ],
            }
        )
    return shown


def _compare_texts(texts: Json) -> list[tuple[str, list[Piece]]]:
    """Return each text that a user's own modules declare, with its changes."""
    after = texts["after"]
    return [(key, diff_words(text, after.get(key, text))) for key, text in texts["before"].items()]


def describe_size(prompt: Json) -> str:
    """Return how long a predictor's prompts are, and how much of them is always the same."""
    if prompt["tokens"] is None:
        return "not measured"
    return f"{prompt['tokens']:,} tokens, {prompt['shared_tokens']:,} of them in every call"


def describe_share(share: Json) -> str:
    """Return what a part of the result contributes to its score, in one line."""
    ends = f"[{share['low']:+.3f}, {share['high']:+.3f}]"
    outcome = "" if share["kept"] else "; taken out"
    return f"{share['part']}: {share['mean']:+.3f} {ends} on {share['n']} rows{outcome}"


def _format_change(what: str, before: str, after: str) -> str:
    return f"{what} {after if before == after else f'{before} → {after}'}"


def _compare_rows(rows: Sequence[Json]) -> dict[str, Any]:
    """Return the holdout rows whose score changed, the worse ones first."""
    better = [row for row in rows if row["after"]["score"] > row["before"]["score"]]
    worse = [row for row in rows if row["after"]["score"] < row["before"]["score"]]
    named = [*(("worse", row) for row in worse), *(("better", row) for row in better)]
    return {
        "better": len(better),
        "worse": len(worse),
        "left_out": max(0, len(named) - MOST_ROWS),
        "rows": [
            {
                "change": change,
                "inputs": _cut(row["inputs"]),
                "expected": _cut(row["wanted"]),
                "before": _cut(row["before"]["outputs"]),
                "score_before": float(row["before"]["score"]),
                "after": _cut(row["after"]["outputs"]),
                "score_after": float(row["after"]["score"]),
            }
            for change, row in named[:MOST_ROWS]
        ],
    }


def _cut(values: Json) -> list[tuple[str, str]]:
    return [(name, str(value)[:MOST_CHARACTERS]) for name, value in values.items()]


def _list_proposals(decisions: Sequence[Json]) -> list[tuple[str, str, str]]:
    admitted = [
        (path, "admitted", text)
        for proposed in select_decisions(decisions, "proposed")
        for path, texts in proposed.items()
        for text in texts
    ]
    refused = [
        (each["path"], f"refused: {each['reason']}", each["instruction"] or "")
        for each in select_decisions(decisions, "refused")
    ]
    return [*admitted, *refused]
