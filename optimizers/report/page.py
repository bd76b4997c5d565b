"""A compile's report as one self-contained web page: no network, a few lines of script to sort.

- ``charts``: the pictures. ``tables``: tables. ``difference``: prompts word by word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from optimizers.report import charts
from optimizers.report.difference import word_difference
from optimizers.report.tables import Markup, table

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent);
  --soft: color-mix(in srgb, currentColor 7%, transparent); --mark: #2f7dd1; --good: #15803d;
  --bad: #b91c1c; --warn: #d97706 }
@media (prefers-color-scheme: dark) { :root { --mark: #6cb0f5; --good: #4ade80; --bad: #f87171 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem;
  overflow-wrap: anywhere }
h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem } h3 { font-size: 1rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.sortable th { cursor: pointer; text-decoration: underline dotted }
pre { white-space: pre-wrap; background: var(--soft); padding: .6rem; border-radius: .4rem;
  margin: .3rem 0; font-size: .9em } .warning { border-left: 4px solid var(--warn);
  padding-left: .6rem }
.verdict { background: var(--soft); padding: .8rem 1rem; border-radius: .6rem }
.verdict b { font-size: 1.3rem } .certified b { color: var(--good) }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%,
  28rem), 1fr)) } figure { margin: 0 } figcaption { font-size: .9em; opacity: .8 }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; fill: currentColor }
@media (max-width: 600px) { svg { font-size: 17px } }
.grid { stroke: var(--line) } .line { fill: none; stroke: var(--mark); stroke-width: 2 }
.line.weak { stroke: currentColor; opacity: .25; stroke-width: 1 } .band { fill: var(--mark);
  opacity: .15 } .dot { fill: var(--mark) } .dot.weak { fill: currentColor; opacity: .35 }
.dot.best { fill: var(--good); opacity: 1 } .line.best { stroke: var(--good); opacity: 1;
  stroke-width: 3 } .bar { fill: var(--mark) } .axis { opacity: .8 }
ins { background: color-mix(in srgb, var(--good) 22%, transparent); text-decoration: none }
del { background: color-mix(in srgb, var(--bad) 22%, transparent) }
.won { color: var(--good) } .lost { color: var(--bad) }
"""
# Sorts a table by the column whose head was clicked: numbers as numbers, texts as texts.
SCRIPT = """
for (const table of document.querySelectorAll("table.sortable"))
  table.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
    const up = head.dataset.up !== "1"; head.dataset.up = up ? "1" : "0";
    const value = row => { const cell = row.cells[column];
      return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent; };
    const body = table.tBodies[0];
    [...body.rows].sort((a, b) => { const x = value(a), y = value(b);
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1); }).forEach(row => body.append(row));
  }));
"""
# Icons are asked for by browsers even of a file; an empty one keeps the console clean.
HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="icon" href="data:,"><title>Compile report</title>'
)
# Rows of a holdout of any size; with the inputs cut, a page stays well below two megabytes.
MOST_ROWS, MOST_CHARACTERS = 300, 400


def page(report: Mapping[str, Any]) -> str:
    """Return the page for ``CompileReport.to_json()``'s object."""
    evidence, decisions = report["evidence"], report["decisions"]
    parts = [
        f"<h1>Compiled with {escape(evidence['optimizer']['name'])}</h1>",
        _certificate(evidence["certificate"]),
        _spend(report),
        _pictures(report),
        _prompts(report["prompts"]),
        _rows(report["rows"]),
        _admissions(decisions),
        _trials(_all(decisions, "trial")),
        _notes(report["notes"]),
    ]
    body = "".join(parts)
    return (
        f"{HEAD}<style>{STYLE}</style></head><body>{body}<script>{SCRIPT}</script></body></html>"
    )


def _all(decisions: Iterable[Mapping[str, Any]], what: str) -> list[Mapping[str, Any]]:
    return [one["data"] for one in decisions if one["what"].rpartition(".")[2] == what]


def _certificate(certificate: Mapping[str, Any]) -> str:
    before, after = certificate["before"], certificate["after"]
    verdict = escape(certificate["verdict"])
    head = (
        f"<div class='verdict {verdict}'><b>Certificate: {verdict}</b>"
        f"<p>{escape(certificate['reason'])}</p>"
    )
    if before is None or after is None:
        return f"{head}</div>"
    ends = ("mean", "low", "high")
    picture = charts.intervals(
        [
            ("before", *(before[name] for name in ends)),
            ("after", *(after[name] for name in ends)),
        ]
    )
    low, high = certificate["low"], certificate["high"]
    facts = [
        ("difference", f"{certificate['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"),
        ("p (one-sided, exact)", f"{certificate['p_value']:.3g}"),
        ("holdout examples", f"{certificate['n']} ({certificate['lost']} lost on the way)"),
        (
            "better, worse, same",
            f"{certificate['wins']}, {certificate['losses']}, {certificate['ties']}",
        ),
        *(
            (f"{name} a query, after / before", f"{ratio:.2f}")
            for name, ratio in certificate["ratios"].items()
            if ratio is not None
        ),
    ]
    if certificate["break_even"] is not None:
        facts.append(("queries until the search is paid for", f"{certificate['break_even']:,.0f}"))
    return f"{head}{picture}{table(('', ''), facts)}</div>"


def _spend(report: Mapping[str, Any]) -> str:
    rows = []
    for name, what in (("paid", report["paid"]), ("as if nothing were cached", report["requested"])):
        dollars = "unknown" if what["dollars"] is None else f"{what['dollars']:.4f}"
        rows.append((name, what["calls"], what["tokens"], dollars))
    low, high = report["estimate"]["calls"]
    said = f"<p>{low:,.0f} to {high:,.0f} calls had been expected.</p>"
    return "<h2>Spend</h2>" + table(("", "calls", "tokens", "dollars"), rows) + said


def _pictures(report: Mapping[str, Any]) -> str:
    decisions, winner = report["decisions"], report["candidate"]["digest"]
    trials = _all(decisions, "trial")
    found = [
        (
            charts.best_by_calls(_all(decisions, "best"), trials),
            "The best so far, on validation, with its 95 % interval; dots: what was tried",
        ),
        (
            charts.race(trials, winner),
            "The race: a candidate that does well meets more examples; green: the best in the end",
        ),
        (
            charts.front(trials, winner),
            "Quality against the price of a query; nothing beats what lies on the line",
        ),
        (
            charts.bars(_importance(decisions)) if _importance(decisions) else "",
            "How much of the spread of the scores each choice explains",
        ),
    ]
    figures = "".join(
        f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
        for picture, text in found
        if picture
    )
    return f"<h2>The search</h2><div class='charts'>{figures}</div>" if figures else ""


def _importance(decisions: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    found = _all(decisions, "importance")
    shares = found[-1] if found else {}
    return sorted(shares.items(), key=lambda pair: -pair[1])


def _prompts(prompts: Mapping[str, Any]) -> str:
    parts = []
    for path, before in prompts["before"].items():
        after = prompts["after"][path]
        changed = word_difference(before["instruction"], after["instruction"])
        model = "" if before["model"] == after["model"] else f"{before['model']} to "
        facts = [f"{len(before['demos'])} to {len(after['demos'])} demonstrations"]
        if after["model"] is not None:
            facts.append(f"model {model}{after['model']}")
        shown = "".join(
            "<pre>"
            + escape("\n".join(f"{key}: {value}" for key, value in demo.items()))
            + "</pre>"
            for demo in after["demos"]
        )
        listed = f"<details><summary>demonstrations</summary>{shown}</details>" if shown else ""
        parts.append(
            f"<h3>{escape(path)}</h3><p>{escape('; '.join(facts))}</p><pre>{changed}</pre>{listed}"
        )
    return "<h2>Prompts, as they were and as the best has them</h2>" + "".join(parts)


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    changed = [row for row in rows if row["before"]["score"] != row["after"]["score"]]
    if not changed:
        return ""
    won = [row for row in changed if row["after"]["score"] > row["before"]["score"]]
    lost = [row for row in changed if row["after"]["score"] < row["before"]["score"]]
    named = [*(("lost", row) for row in lost), *(("won", row) for row in won)]
    cells = [
        (
            Markup(f"<span class='{name}'>{name}</span>"),
            _listed(row["inputs"]),
            _listed(row["expected"]),
            _listed(row["before"]["outputs"]),
            float(row["before"]["score"]),
            _listed(row["after"]["outputs"]),
            float(row["after"]["score"]),
        )
        for name, row in named[:MOST_ROWS]
    ]
    head = ("", "inputs", "wanted", "before", "score", "after", "score")
    return f"<h2>Rows won and lost on the holdout: {len(won)} won, {len(lost)} lost</h2>" + table(
        head, cells, sortable=True
    )


def _listed(values: Mapping[str, Any]) -> Markup:
    lines = [
        f"{escape(name)}: {escape(str(value)[:MOST_CHARACTERS])}" for name, value in values.items()
    ]
    return Markup("<br>".join(lines))


def _admissions(decisions: Sequence[Mapping[str, Any]]) -> str:
    admitted = [
        (path, "admitted", text)
        for one in _all(decisions, "proposed")
        for path, texts in one.items()
        for text in texts
    ]
    refused = [
        (one["path"], f"refused: {one['reason']}", one["instruction"] or "")
        for one in _all(decisions, "refused")
    ]
    if not admitted and not refused:
        return ""
    head = ("predictor", "gate", "instruction")
    return "<h2>Proposed instructions</h2>" + table(head, [*admitted, *refused], sortable=True)


def _trials(trials: Sequence[Mapping[str, Any]]) -> str:
    if not trials:
        return ""
    rows = [
        (
            number,
            str(trial["label"]),
            float(trial["mean"]),
            f"[{trial['low']:.3f}, {trial['high']:.3f}]",
            trial["n"],
        )
        for number, trial in enumerate(trials, start=1)
    ]
    head = ("#", "candidate", "mean", "95 % interval", "examples")
    return "<h2>Trials</h2>" + table(head, rows, sortable=True)


def _notes(notes: Iterable[Mapping[str, Any]]) -> str:
    items = "".join(
        f"<p class='{'warning' if note['warning'] else ''}'>{escape(note['text'])}</p>"
        for note in notes
    )
    return f"<h2>Notes</h2>{items}" if items else ""
