"""What changed between two artifacts: prompts word by word, demonstrations one by one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from langprog.artifact.digest import canonical_json
from langprog.artifact.files import Artifact
from langprog.artifact.nodes import predict_nodes, settings_in
from langprog.modules import PredictNode

_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of text that both versions have, or only one of them."""

    kind: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True)
class PredictorDiff:
    """What changed in one predictor.

    Args:
        path: Its place in the program.
        instruction: The instruction, piece by piece; empty where it is the same.
        demos_added: Demonstrations that only the second has.
        demos_removed: Demonstrations that only the first has.
        demos_moved: Whether those in both stand in another order.
        settings: What else changed (model, adapter, a setting of sampling, a field's type or
            description), as (before, after).
    """

    path: str
    instruction: tuple[Words, ...] = ()
    demos_added: tuple[Mapping[str, Any], ...] = ()
    demos_removed: tuple[Mapping[str, Any], ...] = ()
    demos_moved: bool = False
    settings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(
            self.instruction
            or self.demos_added
            or self.demos_removed
            or self.demos_moved
            or self.settings
        )


@dataclass(frozen=True, slots=True)
class ArtifactDiff:
    """What changed between two artifacts.

    Args:
        added: Predictors that only the second has.
        removed: Predictors that only the first has.
        changed: Predictors of both that differ, in the second's order.
        settings: What modules are set to beside their prompts, where it differs, as
            (before, after) by path and name; None where there is none.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[PredictorDiff, ...]
    settings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any prompt or setting changed."""
        return bool(self.added or self.removed or self.changed or self.settings)


def diff_artifacts(first: Artifact, second: Artifact) -> ArtifactDiff:
    """Return what changed in the predictors; needs none of the user's classes.

    Args:
        first: The artifact to compare with.
        second: The artifact that is compared.
    """
    before = dict(predict_nodes(first.data.program))
    after = dict(predict_nodes(second.data.program))
    changed = (_predictor(path, before[path], after[path]) for path in after if path in before)
    return ArtifactDiff(
        added=tuple(path for path in after if path not in before),
        removed=tuple(path for path in before if path not in after),
        changed=tuple(diff for diff in changed if diff),
        settings=_differing(
            dict(settings_in(first.data.program)), dict(settings_in(second.data.program))
        ),
    )


def word_diff(before: str, after: str) -> tuple[Words, ...]:
    """Return ``after`` piece by piece against ``before``; empty where they are the same."""
    if before == after:
        return ()
    old, new = _TOKENS.findall(before), _TOKENS.findall(after)
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    return tuple(_pieces(old, new, matcher))


def _pieces(
    old: list[str], new: list[str], matcher: difflib.SequenceMatcher[str]
) -> Iterator[Words]:
    for kind, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if kind == "equal":
            yield Words("same", "".join(old[a_start:a_end]))
            continue
        if a_end > a_start:
            yield Words("removed", "".join(old[a_start:a_end]))
        if b_end > b_start:
            yield Words("added", "".join(new[b_start:b_end]))


def _predictor(path: str, before: PredictNode, after: PredictNode) -> PredictorDiff:
    old = {canonical_json(demo): demo for demo in before.demos}
    new = {canonical_json(demo): demo for demo in after.demos}
    kept_before = [text for text in old if text in new]
    kept_after = [text for text in new if text in old]
    return PredictorDiff(
        path=path,
        instruction=word_diff(
            str(before.signature.get("instruction")), str(after.signature.get("instruction"))
        ),
        demos_added=tuple(new[text] for text in new if text not in old),
        demos_removed=tuple(old[text] for text in old if text not in new),
        demos_moved=kept_before != kept_after,
        settings=_settings(before, after),
    )


def _settings(before: PredictNode, after: PredictNode) -> dict[str, tuple[Any, Any]]:
    return _differing(_flat(before), _flat(after))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    }


def _flat(node: PredictNode) -> dict[str, Any]:
    flat: dict[str, Any] = {"model": node.model, "adapter": node.adapter}
    flat.update(node.sampling.model_dump())
    for item in node.signature.get("fields", ()):
        flat[f"field {item.get('name')}"] = {k: v for k, v in item.items() if k != "name"}
    return flat
