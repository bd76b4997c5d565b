"""Candidates of GEPA: a text for each component, which are the instructions of predictors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.errors import InputError
from langprog.evaluation import Report
from langprog.interop.contract import Exported, Imported
from langprog.interop.reading import read_json
from langprog.modules import Module

LARGEST = 64 * 2**20
READS: Mapping[str, str] = MappingProxyType(
    {"candidate": "which of several, by its number from 0; by default the best one"}
)


def read_candidates(path: Path, into: Module | None, options: Mapping[str, str]) -> Imported:
    """Read a candidate into a program, for ``langprog import``."""
    assert into is not None
    number = options.get("candidate")
    if number is not None and not (number.isascii() and number.isdigit()):
        raise InputError(f"candidate is a number from 0, not {number!r:.40}")
    candidate = read_candidate(path, None if number is None else int(number))
    return Imported(program=from_gepa(candidate, into))


def read_candidate(path: str | Path, number: int | None = None) -> dict[str, str]:
    """Return a candidate from a file of GEPA.

    Args:
        path: A JSON file: one candidate, a list of them (``candidates.json``), or a result.
        number: Which of several, from 0; by default the best one of a result.

    Raises:
        InputError: The file holds no candidates, or it is not clear which one is meant.
    """
    value = read_json(path, LARGEST)
    listed = value.get("candidates") if isinstance(value, dict) else value
    if isinstance(value, dict) and not isinstance(listed, list):
        return _check(value, str(path))
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{path}: it holds no candidates of GEPA (a text for each component)")
    if number is None:
        number = _best(value) if isinstance(value, dict) else None
    if number is None and len(listed) == 1:
        number = 0
    if number is None:
        raise InputError(
            f"{path}: it holds {len(listed)} candidates and does not say which is the best: name "
            "one, candidate=0"
        )
    if number >= len(listed):
        raise InputError(
            f"{path}: there is no candidate {number}; it holds {len(listed)}, counted from 0"
        )
    return _check(listed[number], f"{path}, candidate {number}")


def _best(result: Mapping[str, Any]) -> int | None:
    best, scores = result.get("best_idx"), result.get("val_aggregate_scores")
    if isinstance(best, int) and not isinstance(best, bool) and best >= 0:
        return best
    numbers = isinstance(scores, list) and all(isinstance(score, (int, float)) for score in scores)
    return max(range(len(scores)), key=scores.__getitem__) if numbers and scores else None


def _check(candidate: Any, place: str) -> dict[str, str]:
    if not isinstance(candidate, dict) or not candidate:
        raise InputError(f"{place}: a candidate is an object with a text for each component")
    for name, text in candidate.items():
        if not isinstance(text, str):
            raise InputError(f"{place}: the component {name!r:.60} is not a text")
    return candidate


def from_gepa(candidate: Mapping[str, str], program: Module) -> Module:
    """Return a program with the texts of a candidate as its instructions.

    Args:
        candidate: A text for each component; a component is a predictor, by its path. A single
            component of any name stands for the only predictor.
        program: The program; predictors that the candidate does not name stay as they are.

    Raises:
        InputError: A component is not a predictor of the program.
    """
    predictors = program.predictors()
    texts = dict(candidate)
    if len(texts) == 1 and len(predictors) == 1:
        texts = dict(zip(predictors, texts.values(), strict=True))
    unknown = [name for name in texts if name not in predictors]
    if unknown:
        raise InputError(
            f"the component {unknown[0]!r:.60} is not a predictor of the program, which has "
            f"{', '.join(predictors)}"
        )
    return program.with_parameters({f"{path}.instruction": text for path, text in texts.items()})


def write_candidate(
    program: Module, options: Mapping[str, str], report: Report | None
) -> Exported:
    """Write a candidate, for ``langprog export``."""
    text = json.dumps(to_gepa(program), ensure_ascii=False, indent=2)
    shown = any(predictor.demo_pool for predictor in program.predictors().values())
    notes = ("a candidate has no demonstrations, but the program does",) if shown else ()
    return Exported(f"{text}\n", notes)


def to_gepa(program: Module) -> dict[str, str]:
    """Return the instructions of a program by predictor, as a candidate for GEPA."""
    return {
        path: predictor.signature.instruction for path, predictor in program.predictors().items()
    }
