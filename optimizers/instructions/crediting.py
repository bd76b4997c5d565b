"""Credit the clauses of instructions with what they add to the score, and recombine the best.

Follows: GrIPS (Prasad et al., 2023), which edits instructions phrase by phrase without a model;
GEPA's merge (Agrawal et al., 2025), which combines what did well apart.
Differs: no clause is tried by itself. A linear model explains all scores that the search has paid
for by the examples, the clauses of the instructions and the other settings of the candidates;
clauses that it shows to help are put together, those that it shows to harm are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizers.evaluation.candidate import parameter_to_json
from optimizers.instructions.clauses import Clause, join_clauses, split_clauses
from optimizers.run import Run

# Variance of the noise of a score over that of an effect, and over that of an example's
# difficulty, as far as one can say beforehand: scores of 0 and 1, effects of about 0.1.
EFFECT_RIDGE, EXAMPLE_RIDGE = 20.0, 2.0
# With fewer candidates, or fewer instructions, nothing can be told apart.
FEWEST_CANDIDATES, FEWEST_INSTRUCTIONS = 12, 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Credit:
    """What a clause adds to the mean score, on the scale of 0 to 1.

    Args:
        clause: The clause.
        effect: The estimate, shrunk toward 0.
        error: Its standard error.
        opens: Whether it is the first clause of an instruction.
    """

    clause: Clause
    effect: float
    error: float
    opens: bool


def recombine_instructions(run: Run, path: str, count: int) -> list[str]:
    """Return up to ``count`` instructions that put the clauses of good ones together.

    Args:
        run: The search; all that its scorer remembers counts.
        path: The predictor.
        count: Most instructions.
    """
    credits_ = credit_clauses(run, path)
    if not credits_:
        return []
    now = _list_keys(_instruction_of(run, path))
    ranked = sorted(credits_.values(), key=lambda each: -each.effect)
    clear = [each for each in ranked if each.effect > each.error]
    helpful = [each for each in ranked if each.effect > each.error / 2]
    present = [credits_[key] for key in now if key in credits_]
    absent = [each for each in ranked if each.clause.key not in now and each.effect > 0]
    choices = [
        clear,
        helpful,
        [each for each in present if each.effect > 0] + absent[:1],
        present + absent[:1],
        present + absent[:2],
        [each for each in present if each.effect > -each.error / 2],
    ]
    texts = (join_clauses([each.clause for each in _open(some, ranked)]) for some in choices)
    distinct = [text for text in dict.fromkeys(texts) if text]
    return [text for text in distinct if _list_keys(text) != now][:count]


def credit_clauses(run: Run, path: str) -> dict[str, Credit]:
    """Return what each clause of the instructions of a predictor adds, by its key.

    Args:
        run: The search.
        path: The predictor.

    Returns:
        The credits, in the order in which the clauses were first tried; none where too few
        candidates were scored.
    """
    base = run.materials.base.parameters()
    tried = [each for each in run.scorer.candidates if run.scorer.values(each)]
    name = f"{path}.instruction"
    texts = dict.fromkeys(str(each.parameters.get(name, base[name].value)) for each in tried)
    if len(tried) < FEWEST_CANDIDATES or len(texts) < FEWEST_INSTRUCTIONS:
        return {}
    keys = sorted({key for each in tried for key in each.parameters})
    features: dict[tuple[str, str], int] = {}
    rows = []
    for each in tried:
        values = {key: each.parameters.get(key, base[key].value) for key in keys if key in base}
        parts = [
            features.setdefault((key, part), len(features))
            for key, value in values.items()
            for part in _list_features(base[key].kind, value)
        ]
        rows.append(parts)
    design = np.zeros((len(tried), len(features)))
    for place, parts in enumerate(rows):
        design[place, parts] = 1.0
    effects, errors = _fit(run, design, [run.scorer.values(each) for each in tried])
    credited: dict[str, Credit] = {}
    for text in texts:
        for number, clause in enumerate(split_clauses(text)):
            if (name, clause.key) in features:
                place = features[name, clause.key]
                opens = number == 0 or (clause.key in credited and credited[clause.key].opens)
                first = credited[clause.key].clause if clause.key in credited else clause
                credited[clause.key] = Credit(first, effects[place], errors[place], opens)
    return credited


def _list_features(kind: str, value: object) -> list[str]:
    if kind == "instruction":
        return list(dict.fromkeys(clause.key for clause in split_clauses(str(value))))
    return [json.dumps(parameter_to_json(value), sort_keys=True)]


def _fit(
    run: Run, design: Floats, scores: Sequence[Mapping[int, float]]
) -> tuple[list[float], list[float]]:
    """Fit the effects of features, and of examples, by ridge regression.

    Returns:
        Effect and standard error of each feature.
    """
    low, high = run.materials.metric.range
    examples = sorted({row for values in scores for row in values})
    known = np.array([[row in values for row in examples] for values in scores], dtype=float)
    score = np.array([[values.get(row, low) for row in examples] for values in scores])
    score = (score - low) / (high - low)
    score = (score - (score * known).sum() / known.sum()) * known
    count = design.shape[1]
    matrix = np.zeros((count + len(examples),) * 2)
    matrix[:count, :count] = design.T @ (design * known.sum(axis=1)[:, None])
    matrix[:count, count:] = design.T @ known
    matrix[count:, :count] = matrix[:count, count:].T
    matrix[count:, count:] = np.diag(known.sum(axis=0))
    ridge = np.full(len(matrix), EXAMPLE_RIDGE)
    ridge[:count] = EFFECT_RIDGE
    inverse = np.linalg.inv(matrix + np.diag(ridge))
    solution = inverse @ np.concatenate([design.T @ score.sum(axis=1), score.sum(axis=0)])
    fitted = (design @ solution[:count])[:, None] + solution[count:]
    noise = float((((score - fitted) * known) ** 2).sum() / known.sum())
    errors = np.sqrt(noise * np.diag(inverse)[:count])
    # Rounded, so that the last bits of a matrix product do not decide a tie.
    return solution[:count].round(9).tolist(), errors.round(9).tolist()


def _open(some: Sequence[Credit], ranked: Sequence[Credit]) -> list[Credit]:
    """Return clauses with one at the beginning that says what the task is."""
    if not some or some[0].clause.lead or any(each.opens for each in some):
        return sorted(some, key=lambda each: not (each.opens or each.clause.lead))
    opening = next((each for each in ranked if each.opens), None)
    return [*([opening] if opening else []), *some]


def _list_keys(instruction: str) -> list[str]:
    return [clause.key for clause in split_clauses(instruction)]


def _instruction_of(run: Run, path: str) -> str:
    text: str = run.program.predictors()[path].signature.instruction
    return text
