"""A compile's report as one self-contained web page: no network, no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent);
  --soft: color-mix(in srgb, currentColor 8%, transparent); --mark: #2f7dd1; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top } td.number { text-align: right; font-variant-numeric: tabular-nums }
pre { white-space: pre-wrap; background: var(--soft); padding: .6rem; border-radius: .4rem;
  margin: .2rem 0 } .warning { border-left: 4px solid #d97706; padding-left: .6rem }
.bar { height: .5rem; background: var(--mark); border-radius: .25rem; min-width: 1px }
.verdict { background: var(--soft); padding: .8rem; border-radius: .5rem }
"""


def page(report: Mapping[str, Any]) -> str:
    """Return the page for ``CompileReport.to_json()``'s object."""
    evidence = report["evidence"]
    parts = [
        f"<h1>Compiled with {escape(evidence['optimizer']['name'])}</h1>",
        _certificate(evidence["certificate"]),
        _spend(report),
        _notes(report["notes"]),
        _trials(report["decisions"]),
        _refusals(report["decisions"]),
        _prompts(report["prompts"]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Compile report</title><style>{STYLE}</style></head><body>"
        + "".join(parts)
        + "</body></html>"
    )


def _certificate(certificate: Mapping[str, Any]) -> str:
    before, after = certificate["before"], certificate["after"]
    head = f"<h2>Certificate: {escape(certificate['verdict'])}</h2><div class='verdict'>"
    text = f"<p>{escape(certificate['reason'])}</p>"
    if before is None or after is None:
        return f"{head}{text}</div>"
    rows = [
        ("before", _interval(before["mean"], before["low"], before["high"])),
        ("after", _interval(after["mean"], after["low"], after["high"])),
        (
            "difference",
            _interval(certificate["difference"], certificate["low"], certificate["high"]),
        ),
        ("p (one-sided, exact)", f"{certificate['p_value']:.3g}"),
        ("holdout examples", f"{certificate['n']} ({certificate['lost']} lost)"),
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
    return f"{head}{text}{_table(('', ''), rows)}</div>"


def _spend(report: Mapping[str, Any]) -> str:
    rows = []
    for name, what in (("paid", report["paid"]), ("as if nothing were cached", report["asked"])):
        dollars = "unknown" if what["dollars"] is None else f"{what['dollars']:.4f}"
        rows.append((name, what["calls"], what["tokens"], dollars))
    return "<h2>Spend</h2>" + _table(("", "calls", "tokens", "dollars"), rows)


def _notes(notes: Iterable[Mapping[str, Any]]) -> str:
    items = "".join(
        f"<p class='{'warning' if note['warning'] else ''}'>{escape(note['text'])}</p>"
        for note in notes
    )
    return f"<h2>Notes</h2>{items}" if items else ""


def _trials(decisions: Iterable[Mapping[str, Any]]) -> str:
    trials = [one["data"] for one in decisions if one["what"].endswith("trial")]
    if not trials:
        return ""
    body = "".join(
        f"<tr><td class='number'>{number}</td><td>{escape(str(trial['label']))}</td>"
        f"<td class='number'>{trial['mean']:.3f}</td><td class='number'>{trial['n']}</td>"
        f"<td style='width:12rem'><div class='bar' style='width:{100 * _part(trial['mean'])}%'>"
        "</div></td></tr>"
        for number, trial in enumerate(trials, start=1)
    )
    return (
        "<h2>Trials</h2><div class='scroll'><table><thead><tr><th>#</th><th>candidate</th>"
        f"<th>mean</th><th>examples</th><th></th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def _refusals(decisions: Iterable[Mapping[str, Any]]) -> str:
    refused = [one["data"] for one in decisions if one["what"].endswith("refused")]
    rows = [(one["path"], one["reason"], one["instruction"]) for one in refused]
    if not rows:
        return ""
    return "<h2>Refused proposals</h2>" + _table(("predictor", "why", "instruction"), rows)


def _prompts(prompts: Mapping[str, Any]) -> str:
    parts = []
    for path, before in prompts["before"].items():
        after = prompts["after"][path]
        rows = [
            (name, f"<pre>{escape(str(one['instruction']))}</pre>", len(one["demos"]))
            for name, one in (("before", before), ("best found", after))
        ]
        body = "".join(
            f"<tr><td>{name}</td><td>{text}</td><td class='number'>{demos}</td></tr>"
            for name, text, demos in rows
        )
        shown = "".join(
            "<pre>"
            + escape("\n".join(f"{key}: {value}" for key, value in demo.items()))
            + "</pre>"
            for demo in after["demos"]
        )
        parts.append(
            f"<h3>{escape(path)}</h3><div class='scroll'><table><thead><tr><th></th>"
            f"<th>instruction</th><th>demonstrations</th></tr></thead><tbody>{body}</tbody>"
            f"</table></div>{shown}"
        )
    return "<h2>Prompts</h2>" + "".join(parts)


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='scroll'>{table}</div>"


def _interval(mean: float, low: float, high: float) -> str:
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _part(mean: float) -> float:
    return min(1.0, max(0.0, mean))
