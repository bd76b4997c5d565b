"""Splitting examples into train, validation and holdout.

Demonstrations and proposals come from train, validation guides the search, and the holdout is used
once, after the search. Examples with the same inputs form a cluster, and a cluster stays in one
part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from langprog import Example, Module
from langprog.errors import InputError
from langprog.evaluation import InputKeys, fold_text
from optimizers.evaluation.labels import find_label_fields, label_of
from optimizers.identity import random_stream

# Shares of a trainset that is given alone. If a valset or a holdout is given too, the remaining
# parts keep their proportions.
TRAIN, VALIDATION, HOLDOUT = 0.3, 0.4, 0.3
MIN_CLUSTERS = 2
# An input that equals a label this often holds it.
LEAK_SHARE = 0.95
FEWEST_LEAKS = 5
MIN_PER_STRATUM = 4

Cluster = tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts that share no inputs.

    Args:
        train: For demonstrations and proposals.
        validation: For choosing among candidates.
        holdout: Only for the certificate; examples of a cluster are adjacent.
        notes: What was moved, left out or is missing.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    holdout: tuple[Example, ...]
    notes: tuple[str, ...] = ()


class Inputs:
    """Decides which examples are the same to a program, and which its demonstrations show.

    Args:
        program: The program.
    """

    def __init__(self, program: Module) -> None:
        self._keys = InputKeys(program)
        self._program = program
        self._demos = [
            {name: value for name, value in demo.items() if name not in predictor.outputs}
            for predictor in program.predictors().values()
            for demo in predictor.demo_pool
        ]

    def key(self, example: Example) -> str:
        """Return a key that is equal for examples with the same inputs to the program."""
        return self._keys.of(example)

    def is_shown(self, example: Example) -> bool:
        """Return whether a demonstration of the program has all inputs of ``example``."""
        values = self._keys.read(example)
        return bool(values) and any(
            all(_is_in(demo, name, value) for name, value in values.items())
            for demo in self._demos
        )

    def similar_key(self, example: Example) -> str:
        """Return a key that examples share whose inputs differ only in case and blanks."""
        return self._keys.of_similar(example)

    def find_leaks(self, examples: Sequence[Example], fields: Sequence[str]) -> list[str]:
        """Return a note for every input that (nearly) always equals a label."""
        notes = []
        for name, field in product(self._keys.names, fields):
            both = [each for each in examples if name in each and field in each]
            same = sum(label_of(each, [name]) == label_of(each, [field]) for each in both)
            if len(both) >= FEWEST_LEAKS and same >= LEAK_SHARE * len(both):
                notes.append(
                    f"the input {name!r} equals {field!r} in {same} of {len(both)} examples: it "
                    "tells the program what it is to find out"
                )
        return notes

    def label_fields(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """Return the fields whose values divide ``examples`` into classes."""
        return find_label_fields(self._program, examples)


def split(
    trainset: Sequence[Example],
    valset: Sequence[Example] | None,
    holdout: Sequence[Example] | None,
    seed: int,
    *,
    inputs: Inputs,
    must_pass: Sequence[Example] = (),
) -> Split:
    """Divide the examples by their inputs.

    Labels (output fields with few values) are divided evenly. Inputs in a given holdout are
    removed from the other parts, those in a given valset from train, those of examples that must
    pass from both, also where they differ in case and blanks alone. Examples in the program's own
    demonstrations are kept out of validation and holdout.

    Args:
        trainset: Divided into the parts that are not given.
        valset: The validation part, where the user has one.
        holdout: The holdout, where the user has one.
        seed: Decides which cluster goes into which part.
        inputs: Decides which examples are the same to the program.
        must_pass: Examples that the search must not use.

    Raises:
        InputError: There are too few examples for the parts.
    """
    given = {"trainset": trainset, "valset": valset, "holdout": holdout}
    clusters = {name: _cluster(part or (), inputs) for name, part in given.items()}
    notes = _describe_copies(clusters)
    others = {**clusters, "must_pass": _cluster(must_pass, inputs)}
    _take_out(clusters, "valset", others, ("holdout", "must_pass"), inputs, notes)
    _take_out(clusters, "trainset", others, ("holdout", "valset", "must_pass"), inputs, notes)
    shown = _pull_shown(clusters, inputs, notes)
    shares = [("train", TRAIN)]
    if valset is None:
        shares.append(("validation", VALIDATION))
    if holdout is None:
        shares.append(("holdout", HOLDOUT))
    fields = inputs.label_fields(trainset)
    parts = _divide(clusters["trainset"], shares, fields, seed, inputs, notes)
    # Examples in the program's demonstrations may be learned from, but prove nothing.
    parts["train"] += shown
    if valset is not None:
        parts["validation"] = _shuffle(clusters["valset"], seed, "validation")
    if holdout is not None:
        parts["holdout"] = _shuffle(clusters["holdout"], seed, "holdout")
    _check_sizes(parts, given, notes)
    flat = {
        name: tuple(row for cluster in part for row in cluster) for name, part in parts.items()
    }
    everything = [row for part in flat.values() for row in part]
    notes += _describe_missing_labels(everything, flat["holdout"], fields)
    notes += inputs.find_leaks(everything, fields)
    return Split(flat["train"], flat["validation"], flat["holdout"], tuple(notes))


def _cluster(examples: Iterable[Example], inputs: Inputs) -> dict[str, Cluster]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(inputs.key(example), []).append(example)
    return {
        key: tuple(sorted(group, key=lambda example: example.digest))
        for key, group in groups.items()
    }


def _describe_copies(clusters: Mapping[str, Mapping[str, Cluster]]) -> list[str]:
    notes = []
    for name, groups in clusters.items():
        rows = sum(map(len, groups.values()))
        if rows > len(groups):
            notes.append(
                f"the {rows} examples of the {name} have {len(groups)} distinct inputs: equal "
                "inputs stay in one part and count as one observation"
            )
    return notes


def _take_out(
    clusters: dict[str, dict[str, Cluster]],
    name: str,
    others: Mapping[str, Mapping[str, Cluster]],
    apart: Sequence[str],
    inputs: Inputs,
    notes: list[str],
) -> None:
    """Remove from a part the inputs that other parts have, also with other case and blanks."""
    groups = clusters[name]
    for other in apart:
        known = others[other].keys() & groups.keys()
        similar = {inputs.similar_key(group[0]) for group in others[other].values()}
        near = {
            key
            for key, group in groups.items()
            if key not in known and inputs.similar_key(group[0]) in similar
        }
        for common, more in ((known, ""), (near, ", up to case and blanks,")):
            if common:
                rows = sum(len(groups.pop(key)) for key in sorted(common))
                notes.append(
                    f"{rows} examples of the {name} have the same inputs{more} as examples of the "
                    f"{other} and were left out of the {name}"
                )


def _pull_shown(
    clusters: dict[str, dict[str, Cluster]], inputs: Inputs, notes: list[str]
) -> list[Cluster]:
    """Remove examples that the program's demonstrations show; return those of the trainset."""
    own: list[Cluster] = []
    for name, groups in clusters.items():
        shown = sorted(key for key, group in groups.items() if inputs.is_shown(group[0]))
        pulled = [groups.pop(key) for key in shown]
        if not pulled:
            continue
        where = "are used for training alone" if name == "trainset" else "were left out"
        notes.append(
            f"{sum(map(len, pulled))} examples of the {name} are demonstrations of the program "
            f"already, so they cannot prove anything: they {where}"
        )
        if name == "trainset":
            own = pulled
    return own


def _shuffle(clusters: Mapping[str, Cluster], seed: int, name: str) -> list[Cluster]:
    """Return a part in random order, as a file may be sorted by label."""
    order = sorted(clusters)
    random_stream(seed, "order", name).shuffle(order)
    return [clusters[key] for key in order]


def _divide(
    clusters: Mapping[str, Cluster],
    shares: Sequence[tuple[str, float]],
    fields: Sequence[str],
    seed: int,
    inputs: Inputs,
    notes: list[str],
) -> dict[str, list[Cluster]]:
    """Divide clusters so that each label is spread evenly over the parts.

    Clusters that differ in case and blanks alone stay in one part.
    """
    families: dict[str, list[str]] = {}
    # Sorted first, so that the order of the file does not affect the split.
    for key in sorted(clusters):
        families.setdefault(inputs.similar_key(clusters[key][0]), []).append(key)
    family = {keys[0]: keys for keys in families.values()}
    similar = len(clusters) - len(family)
    if similar:
        notes.append(
            f"{similar} of the {len(clusters)} distinct inputs of the trainset differ from "
            "another one in case and blanks alone: they stay in one part with it, but each counts "
            "as an observation"
        )
    order = sorted(family)
    rng = random_stream(seed, "split")
    rng.shuffle(order)
    joint = _choose_strata(clusters, fields)
    strata: dict[str, list[str]] = {}
    for key in order:
        strata.setdefault(label_of(clusters[key][0], joint), []).append(key)
    places: dict[str, float] = {}
    for label in sorted(strata):
        start = rng.random()
        for number, key in enumerate(strata[label]):
            places[key] = (number + start) / len(strata[label])
    order = sorted(order, key=lambda key: (places[key], key))
    whole = sum(share for _, share in shares)
    parts: dict[str, list[Cluster]] = {}
    begin, taken = 0, 0.0
    for name, share in shares:
        taken += share
        end = round(len(order) * taken / whole)
        keys = [key for first in order[begin:end] for key in family[first]]
        # Within a part the order is random, as a budget may pay only for its beginning.
        random_stream(seed, "order", name).shuffle(keys)
        parts[name] = [clusters[key] for key in keys]
        begin = end
    return parts


def _choose_strata(clusters: Mapping[str, Cluster], fields: Sequence[str]) -> Sequence[str]:
    """Return all fields if each of their joint values has a few clusters, else the first."""
    labels = {label_of(group[0], fields) for group in clusters.values()}
    return fields if len(labels) * MIN_PER_STRATUM <= len(clusters) else fields[:1]


def _check_sizes(
    parts: Mapping[str, Sequence[Cluster]],
    given: Mapping[str, Sequence[Example] | None],
    notes: Sequence[str],
) -> None:
    names = {"train": "trainset", "validation": "valset", "holdout": "holdout"}
    for name, argument in names.items():
        if len(parts[name]) >= MIN_CLUSTERS:
            continue
        own = given[argument]
        source, rows = ("trainset", given["trainset"]) if own is None else (argument, own)
        details = f" ({'; '.join(notes)})" if notes else ""
        raise InputError(
            f"too few examples: {len(rows or ())} in the {source} leave {len(parts[name])} "
            f"with distinct inputs for {name}{details}; give more (at least 6; a few dozen make a "
            "compile worthwhile, a few hundred are better)"
        )


def _describe_missing_labels(
    examples: Sequence[Example], holdout: Sequence[Example], fields: Sequence[str]
) -> list[str]:
    notes = []
    for field in fields:
        counts = Counter(label_of(example, [field]) for example in examples)
        present = {label_of(example, [field]) for example in holdout}
        missing = sorted(counts.keys() - present)
        if missing:
            listed = ", ".join(
                f"{field}={label!r} ({counts[label]} of {len(examples)})" for label in missing[:5]
            )
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            notes.append(
                f"the holdout has no example with the label {listed}{more}: the certificate says "
                "nothing about that class"
            )
    return notes


def _is_in(demo: Mapping[str, Any], name: str, value: object) -> bool:
    text = str(fold_text(value))
    if name in demo:
        # A demonstration need not have the types of the program: "7" shows 7.
        return bool(demo[name] == value) or str(fold_text(demo[name])) == text
    # A program may pass its inputs on under other names. What matches by chance costs little: it
    # is learned from, and not examined.
    known = isinstance(value, str) and bool(text)
    return known and text in {fold_text(each) for each in demo.values() if isinstance(each, str)}
