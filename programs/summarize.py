"""Summarize a report: list what matters, then write it in a few words.

Follows: Planning with Learned Entity Prompts for Abstractive Summarization (Narayan et al., 2021):
first a plan of what the summary holds, then the summary. Differs: the plan is a list of facts from
a module of its own; a summary that is too long is asked for again; the score is the share of the
facts that it has, less for what is too long. The reports are generated.
"""

from __future__ import annotations

import random

import langprog as lp

WORDS = 40
PORTS = ("Halden", "Orvane", "Merwick", "Tasholm", "Velford", "Brandby", "Corstead", "Dunmouth")
FILLING = (
    "The weather was as usual for the season.",
    "Nobody had anything to add to last week.",
    "The coffee machine has been repaired.",
    "There was some talk about the new signs.",
    "All staff were thanked for their patience.",
    "The minutes of the last meeting were read.",
)


class Plan(lp.Signature):
    """List the facts of the report that matter: those with a number and a place."""

    report: str = lp.Input()
    facts: list[str] = lp.Output("each in a few words, with its number")


class Write(lp.Signature):
    """Summarize the report: all facts, nothing else, at most 40 words."""

    report: str = lp.Input()
    facts: list[str] = lp.Input("what the summary has to hold")
    summary: str = lp.Output()


program = lp.Pipeline(
    plan=lp.Predict(Plan),
    write=lp.Predict(Write, checks=[lp.checks.length("summary", most=60, unit="words")]),
)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score the share of the facts in the summary, less what is beyond 40 words."""
    said = prediction.summary.lower()
    missing = [
        key for key in example.key_facts if not all(word in said for word in key.lower().split())
    ]
    beyond = max(0, len(said.split()) - WORDS)
    value = (1 - len(missing) / len(example.key_facts)) * WORDS / (WORDS + beyond)
    advice = [f"missing: {', '.join(missing)}"] if missing else []
    advice += [f"{beyond} words too long"] if beyond else []
    return lp.Score(value, "; ".join(advice) or None)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different reports, each with three facts between other sentences.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"summarize/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        ports = rng.sample(PORTS, 3)
        numbers = rng.sample(range(10, 900), 3)
        kinds = rng.sample(("passengers", "containers", "delays"), 3)
        facts = [
            f"{port} counted {number} {kind}."
            for port, number, kind in zip(ports, numbers, kinds, strict=True)
        ]
        sentences = [*facts, *rng.sample(FILLING, 4)]
        rng.shuffle(sentences)
        report = " ".join(sentences)
        keys = [
            f"{port} {number} {kind}"
            for port, number, kind in zip(ports, numbers, kinds, strict=True)
        ]
        row = lp.Example(report=report, key_facts=keys, facts=facts, summary=" ".join(facts))
        rows.setdefault(report, row)
    return list(rows.values())
