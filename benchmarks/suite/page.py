"""The report as Markdown and as one HTML file, each with pictures."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from benchmarks.curves import draw_curves
from benchmarks.measured import RESULTS, machine, publish, table, versions
from benchmarks.suite.cells import BASE
from benchmarks.suite.report import (
    Outcome,
    Paired,
    Row,
    common,
    front,
    optimizer_rows,
    pair,
    peer_sentences,
    program_rows,
)
from optimizers.report.charts import draw_front, draw_intervals

STYLE = """
body{font:15px/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}
td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left}svg{max-width:46rem}
svg text{font:11px sans-serif}.grid{stroke:#ddd}.line{fill:none;stroke:#2f7dd1;stroke-width:2}
.band{fill:#2f7dd1;opacity:.2}.whisker{stroke:#2f7dd1}.dot{fill:#2f7dd1}.weak{opacity:.5}
"""


def publish_report(name: str, command: str, outcomes: Sequence[Outcome], asked: int) -> None:
    """Write ``results/NAME.md`` and ``results/NAME.html``.

    Args:
        name: Name of the page.
        command: The command that measured the cells.
        outcomes: The finished cells.
        asked: How many cells the grid has.
    """
    shared = common(outcomes)
    paired = pair(shared)
    introduction = describe(command, outcomes, shared, asked)
    sentences = peer_sentences(shared)
    by_optimizer, by_program = optimizer_rows(paired), program_rows(outcomes)
    names = ", ".join(map(_label, front(paired)))
    best = f"On the front of accuracy and dollars of running: {names}."
    curves = draw_curves(name, [_point(each) for each in paired])
    publish(
        name,
        "\n\n".join(
            [
                "# The suite: programs, optimizers, tasks and models",
                *introduction,
                "## Optimizers, on the cells that all of them have",
                table(by_optimizer),
                "\n".join(sentences),
                best,
                curves,
                "## Every program and optimizer, by task",
                table(by_program),
            ]
        ),
    )
    picture = Markup((RESULTS / f"{name}.svg").read_text(encoding="utf-8"))  # ours, written above
    parts = [
        *(f"<p>{escape(text)}</p>" for text in introduction),
        "<h2>Optimizers, on the cells that all of them have</h2>",
        _html_table(by_optimizer),
        "<p>Difference to the uncompiled program, with its 95 % interval</p>",
        _draw_differences(paired),
        "<ul>",
        *(f"<li>{escape(line[2:])}</li>" for line in sentences),
        "</ul>",
        f"<p>{escape(best)}</p>",
        _draw_costs(paired),
        picture,
        "<h2>Every program and optimizer, by task</h2>",
        _html_table(by_program),
    ]
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>The suite</title>"
        f"<style>{STYLE}</style><h1>Programs, optimizers, tasks and models</h1>"
        + "\n".join(map(str, parts))
    )
    (RESULTS / f"{name}.html").write_text(f"{page}</html>\n", encoding="utf-8")


def describe(
    command: str, outcomes: Sequence[Outcome], shared: Sequence[Outcome], asked: int
) -> list[str]:
    """Return how the cells were measured."""
    sizes = sorted({len(cell["scores"]) for cell in outcomes})
    seeds = sorted({cell["seed"] for cell in outcomes})
    failed = sum(bool(cell.get("failed")) for cell in outcomes)
    rows = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return [
        f"`{command}`; {len(outcomes)} of {asked} cells; {machine()}; "
        f"{versions('langprog', 'dspy', 'gepa', 'optuna')}.",
        f"Seeds {', '.join(map(str, seeds))}, which decide rows and compiles; {rows} test rows a "
        f"cell, which no optimizer sees; {len(shared)} cells are of a task, program, model and "
        "seed that every optimizer has. Intervals are at 95 % over rows; a difference is that on "
        "the same rows. Noise: a cell is worse by more than that if the interval of its paired "
        "difference is below 0. All have the same labelled rows; ours keep some of them for the "
        "certificate, whose calls are among the paid ones, and ship the program as it was where "
        "no gain is certified. A peer of DSPy's chooses on those rows, ships what it found, and "
        "has the same form of prompts; its sizes are cut to the calls. Peers run the programs "
        "answer and reason alone. Prices of embedded models are nominal.",
        f"Compiles of peers that ended in an error, and ship the program as it was: {failed}.",
    ]


def _label(name: str) -> str:
    return "uncompiled" if name == BASE else name


def _point(each: Paired) -> dict[str, object]:
    return {
        "name": _label(each.name),
        "calls": each.mean("compile_calls") or 0.0,
        "after": each.accuracy[0],
    }


def _draw_differences(paired: Sequence[Paired]) -> str:
    return draw_intervals([(each.name, *each.difference) for each in paired if each.name != BASE])


def _draw_costs(paired: Sequence[Paired]) -> str:
    trials = []
    for each in paired:
        mean, low, high = each.accuracy
        dollars = each.mean("run_dollars")
        trials.append(
            {
                "digest": each.name,
                "label": _label(each.name),
                "mean": mean,
                "low": low,
                "high": high,
                "n": sum(len(cell["scores"]) for cell in each.cells),
                "cost": {"dollars": dollars or 0.0, "tokens": 0.0},
            }
        )
    return draw_front(trials, "")


def _html_table(rows: Sequence[Row]) -> str:
    head, *body = rows
    lines = ["<table><tr>", *(f"<th>{escape(cell)}</th>" for cell in head), "</tr>"]
    for row in body:
        lines += ["<tr>", *(f"<td>{escape(cell)}</td>" for cell in row), "</tr>"]
    return "".join([*lines, "</table>"])
