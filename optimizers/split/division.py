"""Dividing clusters of examples into parts: by label, and by what earlier compiles used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from langprog import Example
from langprog.evaluation import Use
from langprog.example import why_train_only
from optimizers.evaluation.labels import label_of
from optimizers.identity import random_stream

MIN_PER_STRATUM = 4
# Rows of an earlier holdout join a new one if unused rows fill less than this share of it: the
# level of a second attempt asks for about twice as many.
ENOUGH_UNUSED = 0.5

Cluster = tuple[Example, ...]


def cluster_by(key: Callable[[Example], str], examples: Iterable[Example]) -> dict[str, Cluster]:
    """Return the examples that share a key as one cluster, by that key."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(key(example), []).append(example)
    return {
        name: tuple(sorted(group, key=lambda example: example.digest))
        for name, group in groups.items()
    }


def cluster_marked(
    marked: Sequence[Example],
    others: Mapping[str, Mapping[str, Cluster]],
    key: Callable[[Example], str],
    similar_key: Callable[[Example], str],
    notes: list[str],
) -> list[Cluster]:
    """Return clusters of the rows for training alone, without those that others are like.

    Args:
        marked: The rows.
        others: Clusters of all other rows.
        key: A key that rows with the same inputs share.
        similar_key: A key that similar rows share.
        notes: Receives what was done.
    """
    if not marked:
        return []
    known = {similar_key(group[0]) for part in others.values() for group in part.values()}
    kept = [example for example in marked if similar_key(example) not in known]
    notes.append(
        f"{len(kept)} examples are marked train_only ({why_train_only(marked[0]):.80}): they are "
        "used for training alone"
    )
    if len(kept) < len(marked):
        notes.append(
            f"{len(marked) - len(kept)} examples that are marked train_only have the same inputs "
            "as others, which count instead: they were left out"
        )
    return list(cluster_by(key, kept).values())


@dataclass(frozen=True, slots=True)
class Families:
    """Clusters, with those together whose inputs are similar.

    Args:
        clusters: The clusters by key.
        keys: The keys of every family, by its first key.
        uses: What an earlier compile used a family for, by its first key; unused ones are absent.
    """

    clusters: Mapping[str, Cluster]
    keys: Mapping[str, Sequence[str]]
    uses: Mapping[str, Use]

    @classmethod
    def of(
        cls,
        clusters: Mapping[str, Cluster],
        similar_key: Callable[[Example], str],
        use_of: Callable[[Example], Use | None],
    ) -> Families:
        """Group clusters.

        Args:
            clusters: The clusters by key.
            similar_key: A key that similar examples share.
            use_of: What an earlier compile used an example for.
        """
        families: dict[str, list[str]] = {}
        # Sorted first, so that the order of the file does not affect the split.
        for key in sorted(clusters):
            families.setdefault(similar_key(clusters[key][0]), []).append(key)
        keys = {group[0]: group for group in families.values()}
        uses: dict[str, Use] = {}
        for first, group in keys.items():
            known = {use_of(example) for key in group for example in clusters[key]}
            if "choosing" in known:
                uses[first] = "choosing"
            elif "holdout" in known:
                uses[first] = "holdout"
        return cls(clusters, keys, uses)

    def count_rows(self, use: Use) -> int:
        """Return how many examples an earlier compile used in one way."""
        families = [self.keys[first] for first, known in self.uses.items() if known == use]
        return sum(len(self.clusters[key]) for family in families for key in family)


def divide(
    families: Families, shares: Sequence[tuple[str, float]], fields: Sequence[str], seed: int
) -> dict[str, list[Cluster]]:
    """Divide clusters so that each label is spread evenly over the parts.

    Families stay in one part. What an earlier compile chose by goes into no holdout.

    Args:
        families: The clusters.
        shares: Name and share of every part.
        fields: The fields that hold labels.
        seed: Decides which cluster goes into which part.
    """
    order = sorted(families.keys)
    parts: dict[str, list[str]] = {}
    if families.uses and "holdout" in dict(shares):
        quota = round(len(order) * dict(shares)["holdout"] / sum(share for _, share in shares))
        parts["holdout"] = _choose_holdout(families, quota, fields, seed)
        shares = [(name, share) for name, share in shares if name != "holdout"]
        order = sorted({*order} - {*parts["holdout"]})
    order = _spread(families.clusters, order, fields, seed)
    whole = sum(share for _, share in shares)
    begin, taken = 0, 0.0
    for name, share in shares:
        taken += share
        end = round(len(order) * taken / whole)
        parts[name] = order[begin:end]
        begin = end
    return {name: _open(families, part, seed, name) for name, part in parts.items()}


def shuffle(clusters: Mapping[str, Cluster], seed: int, name: str) -> list[Cluster]:
    """Return a part in random order, as a file may be sorted by label."""
    order = sorted(clusters)
    random_stream(seed, "order", name).shuffle(order)
    return [clusters[key] for key in order]


def _choose_holdout(families: Families, quota: int, fields: Sequence[str], seed: int) -> list[str]:
    """Return a holdout of unused families, filled up from earlier holdouts where they are few."""
    unused = [first for first in families.keys if first not in families.uses]
    if len(unused) >= quota * ENOUGH_UNUSED:
        return _spread(families.clusters, unused, fields, seed)[:quota]
    again = [first for first, use in families.uses.items() if use == "holdout"]
    return unused + _spread(families.clusters, again, fields, seed)[: quota - len(unused)]


def _spread(
    clusters: Mapping[str, Cluster], keys: Sequence[str], fields: Sequence[str], seed: int
) -> list[str]:
    """Return keys in a random order in which every stretch has its share of each label."""
    order = sorted(keys)
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
    return sorted(order, key=lambda key: (places[key], key))


def _choose_strata(clusters: Mapping[str, Cluster], fields: Sequence[str]) -> Sequence[str]:
    """Return all fields if each of their joint values has a few clusters, else the first."""
    labels = {label_of(group[0], fields) for group in clusters.values()}
    return fields if len(labels) * MIN_PER_STRATUM <= len(clusters) else fields[:1]


def _open(families: Families, part: Sequence[str], seed: int, name: str) -> list[Cluster]:
    keys = [key for first in part for key in families.keys[first]]
    # Within a part the order is random, as a budget may pay only for its beginning.
    random_stream(seed, "order", name).shuffle(keys)
    return [families.clusters[key] for key in keys]
