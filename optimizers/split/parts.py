"""Splitting examples into train, validation and holdout.

Demonstrations and proposals come from train, validation guides the search, and the holdout is used
once, after the search. Examples with the same inputs form a cluster, and a cluster stays in one
part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from langprog import Example, Module
from langprog.errors import InputError
from langprog.evaluation import InputKeys, Use
from langprog.example import refuse_train_only, why_train_only
from optimizers.evaluation.labels import find_label_fields, label_of
from optimizers.split.division import (
    Cluster,
    Families,
    cluster_by,
    cluster_marked,
    divide,
    shuffle,
)
from optimizers.split.lineage import Lineage
from optimizers.split.shown import ShownInputs
from optimizers.stats.attempts import EarlierAttempt

# Shares of a trainset that is given alone. If a valset or a holdout is given too, the remaining
# parts keep their proportions.
TRAIN, VALIDATION, HOLDOUT = 0.3, 0.4, 0.3
MIN_CLUSTERS = 2
# An input that equals a label this often holds it.
LEAK_SHARE = 0.95
FEWEST_LEAKS = 5
# The largest share of examples that stay different without an input that numbers them.
COPIES_SHARE = 0.9
# A row number, a UUID, a date: one word with a digit.
_NUMBER = re.compile(r"\S*\d\S*")


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
        self._similar: dict[int, tuple[Example, str]] = {}  # each with what its number is of
        self._program = program
        self._lineage = Lineage(program)
        self._shown = ShownInputs(program)

    def key(self, example: Example) -> str:
        """Return a key that is equal for examples with the same inputs to the program."""
        return self._keys.of(example)

    def is_shown(self, example: Example) -> bool:
        """Return whether a prompt of the program shows all inputs of ``example`` already."""
        values = {name: v for name, v in self._keys.read(example).items() if name in example}
        return self._shown.has(values)

    def similar_key(self, example: Example) -> str:
        """Return a key that examples share whose inputs are written almost alike."""
        known = self._similar.get(id(example))
        if known is None:
            known = self._similar[id(example)] = example, self._keys.of_similar(example)
        return known[1]

    def use_of(self, example: Example) -> Use | None:
        """Return what an earlier compile of the program used an example for."""
        return self._lineage.use_of(example)

    def attempts_on(self, holdout: Sequence[Example]) -> dict[str, EarlierAttempt]:
        """Return the attempts of earlier compiles on any example of a holdout, by their ids."""
        return self._lineage.attempts_on(holdout)

    def describe_reuse(self, examples: Sequence[Example], holdout: Sequence[Example]) -> list[str]:
        """Return notes on examples that an earlier holdout had, or that cannot be recognized."""
        again = sum(self.use_of(example) == "holdout" for example in holdout)
        notes = self._lineage.describe_unrecognizable(examples)
        if again:
            notes.append(
                f"{again} of the {len(holdout)} examples of the holdout were in the holdout of an "
                "earlier compile of the program: another claim on them needs stronger evidence"
            )
        return notes

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

    def find_numbering(self, examples: Sequence[Example]) -> list[str]:
        """Return a note for every input that only numbers the examples, and hides copies."""
        count = len({self.similar_key(each) for each in examples})
        notes = []
        for name in self._keys.names:
            values = {str(each[name]) for each in examples if name in each}
            if len(values) < max(FEWEST_LEAKS, len(examples)) or not all(map(_is_number, values)):
                continue
            others = InputKeys(self._program, [each for each in self._keys.names if each != name])
            distinct = len({others.of_similar(each) for each in examples})
            if others.names and distinct <= COPIES_SHARE * count:
                notes.append(
                    f"the input {name!r} is different in each of the {count} examples, whose "
                    f"other inputs have {distinct} different values: if it only numbers them, "
                    "leave it out of the signature; as it is, copies may be in train and in the "
                    "holdout, and count as separate observations"
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
    pass from both, also where they are written almost alike. Examples in the program's own
    demonstrations are kept out of validation and holdout, and those that an earlier compile of the
    program chose by, out of the holdout.

    Rows that are marked ``train_only`` go into train, unless another part has inputs like theirs.

    Args:
        trainset: Divided into the parts that are not given.
        valset: The validation part, where the user has one.
        holdout: The holdout, where the user has one.
        seed: Decides which cluster goes into which part.
        inputs: Decides which examples are the same to the program.
        must_pass: Examples that the search must not use.

    Raises:
        InputError: There are too few examples for the parts, or one of a part that proves
            something is marked ``train_only``.
    """
    for name, part in (("valset", valset), ("holdout", holdout), ("must_pass", must_pass)):
        refuse_train_only(part or (), f"the {name}", f"{name}[{{}}]".format)
    marked = [example for example in trainset if why_train_only(example)]
    trainset = [example for example in trainset if not why_train_only(example)]
    given = {"trainset": trainset, "valset": valset, "holdout": holdout}
    clusters = {name: cluster_by(inputs.key, part or ()) for name, part in given.items()}
    notes = _describe_copies(clusters)
    others = {**clusters, "must_pass": cluster_by(inputs.key, must_pass)}
    _take_out(clusters, "valset", others, ("holdout", "must_pass"), inputs, notes)
    _take_out(clusters, "trainset", others, ("holdout", "valset", "must_pass"), inputs, notes)
    shown = _pull_shown(clusters, inputs, notes)
    shown += cluster_marked(marked, others, inputs.key, inputs.similar_key, notes)
    _leave_out_used(clusters, inputs, notes)
    shares = [("train", TRAIN)]
    if valset is None:
        shares.append(("validation", VALIDATION))
    if holdout is None:
        shares.append(("holdout", HOLDOUT))
    fields = inputs.label_fields(trainset)
    families = _group(clusters["trainset"], inputs, notes, holdout=holdout is None)
    parts = divide(families, shares, fields, seed)
    # Examples in the program's demonstrations may be learned from, but prove nothing.
    parts["train"] += shown
    if valset is not None:
        parts["validation"] = shuffle(clusters["valset"], seed, "validation")
    if holdout is not None:
        parts["holdout"] = shuffle(clusters["holdout"], seed, "holdout")
    _check_sizes(parts, given, notes)
    flat = {
        name: tuple(row for cluster in part for row in cluster) for name, part in parts.items()
    }
    everything = [row for part in flat.values() for row in part]
    notes += inputs.describe_reuse(everything, flat["holdout"])
    notes += _describe_missing_labels(everything, flat["holdout"], fields)
    notes += inputs.find_leaks(everything, fields)
    notes += inputs.find_numbering(everything)
    return Split(flat["train"], flat["validation"], flat["holdout"], tuple(notes))


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
    """Remove from a part the inputs that other parts have, also if written almost alike."""
    groups = clusters[name]
    for other in apart:
        known = others[other].keys() & groups.keys()
        similar = {inputs.similar_key(group[0]) for group in others[other].values()}
        near = {
            key
            for key, group in groups.items()
            if key not in known and inputs.similar_key(group[0]) in similar
        }
        for common, more in ((known, ""), (near, ", written almost alike,")):
            if common:
                rows = sum(len(groups.pop(key)) for key in sorted(common))
                notes.append(
                    f"{rows} examples of the {name} have the same inputs{more} as examples of the "
                    f"{other} and were left out of the {name}"
                )


def _pull_shown(
    clusters: dict[str, dict[str, Cluster]], inputs: Inputs, notes: list[str]
) -> list[Cluster]:
    """Remove examples that the program shows already; return those of the trainset."""
    own: list[Cluster] = []
    for name, groups in clusters.items():
        shown = sorted(key for key, group in groups.items() if inputs.is_shown(group[0]))
        pulled = [groups.pop(key) for key in shown]
        if not pulled:
            continue
        where = "are used for training alone" if name == "trainset" else "were left out"
        notes.append(
            f"{sum(map(len, pulled))} examples of the {name} are demonstrations of the program "
            f"already, or stand in its prompt, so they cannot prove anything: they {where}"
        )
        if name == "trainset":
            own = pulled
    return own


def _leave_out_used(
    clusters: dict[str, dict[str, Cluster]], inputs: Inputs, notes: list[str]
) -> None:
    """Remove from a given holdout what an earlier compile of the program chose by."""
    groups = clusters["holdout"]
    used = sorted(
        key
        for key, group in groups.items()
        if any(inputs.use_of(example) == "choosing" for example in group)
    )
    rows = sum(len(groups.pop(key)) for key in used)
    if rows:
        notes.append(
            f"{rows} examples of the holdout were used by an earlier compile to choose this "
            "program, so they cannot prove anything: they were left out"
        )


def _group(
    clusters: Mapping[str, Cluster], inputs: Inputs, notes: list[str], *, holdout: bool
) -> Families:
    """Group the trainset, and say what is kept together, or out of a holdout made of it."""
    families = Families.of(clusters, inputs.similar_key, inputs.use_of)
    similar = len(clusters) - len(families.keys)
    if similar:
        notes.append(
            f"{similar} of the {len(clusters)} distinct inputs of the trainset are written almost "
            "as another one (case, blanks, closing punctuation): they stay in one part with it, "
            "and count as one observation"
        )
    chosen = families.count_rows("choosing")
    if holdout and chosen:
        notes.append(
            f"{chosen} examples of the trainset were used by an earlier compile to choose this "
            "program, so they cannot prove anything: they are kept out of the holdout"
        )
    return families


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


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
