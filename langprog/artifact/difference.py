"""What differs between two programs or artifacts, for people."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from langprog.adapters import reference_of
from langprog.artifact.files import Artifact, read_artifact
from langprog.artifact.nodes import program_to_json
from langprog.artifact.words import diff_words
from langprog.errors import ArtifactError
from langprog.lm import Sampling, model_name
from langprog.modules import Module, Node, Parameter, read_node

_WORD = re.compile(r"\s+|[^\s\w]|\w+")
# Characters of two texts without anything in common that are shown whole.
_MOST_SHOWN = 40_000
# Words around a change that are shown.
_AROUND = 6

Facts = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Args:
        path: The module, or ``""`` for the artifact as a whole.
        what: What of it: ``instruction``, ``demos``, ``model``, ...
        before: Its value in the first program, as plain JSON data; ``None`` if there is none.
        after: Its value in the second one.
    """

    path: str
    what: str
    before: Any
    after: Any

    def lines(self) -> list[str]:
        """Return the change as lines of text."""
        name = f"{self.path}.{self.what}" if self.path else self.what
        before, after = self.before, self.after
        if self.what == "demos" and isinstance(before, list) and isinstance(after, list):
            return _demo_lines(name, before, after)
        if isinstance(before, str) and isinstance(after, str) and self._is_text():
            return [f"{name}: {word_diff(before, after)}"]
        if isinstance(before, dict) and isinstance(after, dict):
            keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
            return [
                _describe_part(f"{name}.{key}", before.get(key), after.get(key)) for key in keys
            ]
        return [f"{name}: {_short(before)} -> {_short(after)}"]

    def _is_text(self) -> bool:
        # Code has line ends that matter.
        return self.what == "instruction" or "\n" in f"{self.before}{self.after}"


@dataclass(frozen=True)
class Difference:
    """What differs between two programs; ``str`` gives it as text.

    Args:
        changes: Everything that differs, in the order of the programs.
        relation: How the artifacts descend from one another; empty if they do not.
    """

    changes: tuple[Change, ...]
    relation: str = ""

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        lines = [self.relation] if self.relation else []
        lines += [line for change in self.changes for line in change.lines()]
        return "\n".join(lines if self.changes else [*lines, "no difference"])

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "relation": self.relation,
            "changes": [asdict(change) for change in self.changes],
        }


def diff(
    first: str | os.PathLike[str] | Artifact | Module,
    second: str | os.PathLike[str] | Artifact | Module,
    *,
    allow_modules: Collection[str] = (),
) -> Difference:
    """Return what differs between two artifacts or programs.

    Compared are instructions (word by word), demonstrations, models, sampling, adapters, fields,
    checks and every other parameter; of artifacts also the evidence, prices and canary rows.

    Args:
        first: The path of an artifact, an artifact that was read, or a program.
        second: The other one.
        allow_modules: Modules that may be imported to find an artifact's classes. Without classes
            that it needs, its data is compared.

    Raises:
        ArtifactError: A file is not an artifact.
        InputError: A value cannot be written.
    """
    one_side, other_side = _read(first), _read(second)
    try:
        facts = (_facts_of(one_side, allow_modules), _facts_of(other_side, allow_modules))
    except ArtifactError:  # code that a program needs is not at hand: compare the data
        facts = (_facts_in(_node_of(one_side)), _facts_in(_node_of(other_side)))
    files = [side if isinstance(side, Artifact) else None for side in (one_side, other_side)]
    changes = [*_compare(*facts)]
    if all(files):
        changes += _compare(*({"": _file_facts(each)} for each in files))
    return Difference(tuple(changes), _relation(*files))


def _read(side: str | os.PathLike[str] | Artifact | Module) -> Artifact | Module:
    return side if isinstance(side, (Artifact, Module)) else read_artifact(side)


def _node_of(side: Artifact | Module) -> Node:
    if isinstance(side, Artifact):
        return side.data.program
    return read_node(program_to_json(side))


# --- facts ---------------------------------------------------------------------------------------


def _facts_of(side: Artifact | Module, allow: Collection[str]) -> Facts:
    program = side if isinstance(side, Module) else side.program(allow_modules=allow)
    facts: Facts = {}
    for path, module in program.named_modules().items():
        facts[path] = {"kind": type(module).__name__}
        predictor: Any = module if module.predicts else None
        for name, parameter in module.own_parameters().items():
            facts[path][name] = _plain(parameter, predictor)
        if predictor is not None:
            facts[path]["fields"] = {
                field.name: f"{field.role} {field.line.removeprefix('- ')}"
                for field in predictor.signature.fields
            }
            facts[path]["checks"] = [str(check) for check in predictor.checks]
    return facts


def _plain(parameter: Parameter, predictor: Any) -> Any:
    """Return a parameter's value as plain JSON data."""
    value = parameter.value
    if parameter.kind == "model":
        return model_name(value)
    if parameter.kind == "adapter":
        return None if value is None else reference_of(value)
    if parameter.kind == "nearest":
        return None if value is None else repr(value)
    if isinstance(value, Sampling):
        return {name: each for name, each in asdict(value).items() if each not in (None, ())}
    if parameter.kind == "demos" and predictor is not None:
        fields = predictor.signature.fields
        return [
            {field.name: field.plain(demo[field.name]) for field in fields if field.name in demo}
            for demo in value
        ]
    return json.loads(json.dumps(value, default=repr))


def _facts_in(node: Node, path: str = "") -> Facts:
    """Return the facts that stand in the data of a program."""
    data = node.model_dump(mode="json", by_alias=True)
    parts = node.children()
    inner = {name.partition("[")[0] for name in parts}
    own = {name: value for name, value in data.items() if name not in inner}
    signature = own.pop("signature", None)
    if isinstance(signature, dict):
        own["instruction"] = signature.get("instruction")
        own["fields"] = {
            str(field.get("name")): json.dumps(field) for field in signature.get("fields", ())
        }
    facts: Facts = {path or "program": own}
    for name, child in parts.items():
        facts |= _facts_in(child, f"{path}.{name}" if path else name)
    return facts


def _file_facts(artifact: Artifact | None) -> dict[str, Any]:
    """Return what an artifact says beside its program."""
    if artifact is None:
        return {}
    data = artifact.data
    evidence = data.evidence or {}
    return {
        "certificate": _certificate(evidence.get("certificate")),
        "evidence": {
            name: evidence[name] for name in ("optimizer", "metric", "spend") if name in evidence
        },
        "models": {
            key: {
                name: value
                for name, value in model.model_dump(mode="json", by_alias=True).items()
                if value not in (None, [], "")
            }
            for key, model in data.models.items()
        },
        "frozen parts": list(data.frozen_parts),
        "canary rows": len(data.canary),
        "langprog": data.langprog,
    }


def _certificate(certificate: Any) -> str | None:
    if not isinstance(certificate, Mapping):
        return None
    said = f"{certificate.get('verdict', 'none')}"
    before, after = certificate.get("before"), certificate.get("after")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        said += (
            f", {before['mean']:.3f} to {after['mean']:.3f} "
            f"[{certificate['low']:+.3f}, {certificate['high']:+.3f}], "
            f"p = {certificate['p_value']:.2g}, n = {certificate['n']}"
        )
    return said


def _relation(first: Artifact | None, second: Artifact | None) -> str:
    if first is None or second is None:
        return ""
    for older, newer, names in (
        (first, second, ("the second", "the first")),
        (second, first, ("the first", "the second")),
    ):
        for steps, parent in enumerate(newer.data.lineage, start=1):
            if parent.digest == older.digest:
                between = "" if steps == 1 else f", {steps} steps later"
                return f"{names[0]} was {parent.how} from {names[1]}{between}"
    return ""


# --- comparing -----------------------------------------------------------------------------------


def _compare(first: Facts, second: Facts) -> Iterator[Change]:
    for path in {**first, **second}:
        before, after = first.get(path), second.get(path)
        if before is None or after is None:
            what = (after or before or {}).get("kind", "module")
            yield Change(
                path, "module", None if before is None else what, None if after is None else what
            )
            continue
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                yield Change(path, name, before.get(name), after.get(name))


def word_diff(before: str, after: str) -> str:
    """Return two texts as one: ``[-old-]`` was removed, ``{+new+}`` was added.

    What stays the same is shown around the changes only; texts that have nothing in common are
    shortened where they are long.
    """
    if before == after:
        return before
    pieces = diff_words(before, after)
    if len(before) + len(after) > _MOST_SHOWN and all(kind != "same" for kind, _ in pieces):
        return f"{_short(before)} -> {_short(after)}"
    marked = {"removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(
        marked[kind].format(text)
        if kind != "same"
        else _shortened(_WORD.findall(text), number > 0, number < len(pieces) - 1)
        for number, (kind, text) in enumerate(pieces)
    )


def _shortened(words: Sequence[str], change_before: bool, change_after: bool) -> str:
    """Return equal words, without those far from the changes before and after them."""
    head = words[: 2 * _AROUND] if change_before else ()
    tail = words[-2 * _AROUND :] if change_after else ()
    if len(head) + len(tail) >= len(words):
        return "".join(words)
    return f"{''.join(head)} ... {''.join(tail)}"


def _demo_lines(name: str, before: Sequence[Any], after: Sequence[Any]) -> list[str]:
    old = Counter(json.dumps(demo, ensure_ascii=False) for demo in before)
    new = Counter(json.dumps(demo, ensure_ascii=False) for demo in after)
    removed, added = list((old - new).elements()), list((new - old).elements())
    kept = (old & new).total()
    said = f"{name}: {len(removed)} removed, {len(added)} added, {kept} kept"
    if not removed and not added:
        said = f"{name}: the same {kept} in another order"
    return [
        said,
        *(f"  - {_short(demo)}" for demo in removed),
        *(f"  + {_short(demo)}" for demo in added),
    ]


def _describe_part(name: str, before: Any, after: Any) -> str:
    pair = before, after
    if all(isinstance(each, dict) and each.get("kind") == "text" for each in pair):
        return f"{name}: {word_diff(before['value'], after['value'])}"
    return f"{name}: {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:280]} ... ({len(text):,} characters)"
