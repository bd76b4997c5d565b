"""Ask optuna's tree-structured Parzen estimator where to look next.

Follows: Algorithms for Hyper-Parameter Optimization (Bergstra et al., 2011), as MIPRO uses it.
Differs: the study is built anew for every round from the best estimates there are by then, so a
point that was scored on few examples at first is not remembered by its first, noisy score, and
a suggestion depends on nothing but the evidence, the seed and the round.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from optimizers.search.space import Assignment, SearchSpace

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

# Suggestions of known points, for each point wanted, before points are drawn at random.
PATIENCE = 20


def suggest(
    space: SearchSpace, seen: Mapping[Assignment, float], count: int, seed: int
) -> list[Assignment]:
    """Suggest up to ``count`` untried points; fewer where the space has no more.

    Args:
        space: Where to look.
        seen: Every point that was tried, with the best estimate of its value.
        count: Points wanted.
        seed: Decides ties and draws.
    """
    optuna = _import_optuna()
    study = _make_study(seed)
    distributions: dict[str, BaseDistribution] = {
        choice.key: optuna.distributions.CategoricalDistribution(range(len(choice.values)))
        for choice in space.choices
    }
    for point, value in seen.items():
        params = dict(space.to_json(point))
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        )
    points: list[Assignment] = []
    count = min(count, space.size - len(seen))
    for _ in range(PATIENCE * count):
        if len(points) == count:
            break
        trial = study.ask(distributions)
        point = tuple(int(trial.params[choice.key]) for choice in space.choices)
        if point in seen:
            study.tell(trial, seen[point])
        elif point not in points:
            points.append(point)
    rng = random.Random(seed)
    while len(points) < count:
        point = tuple(rng.randrange(len(choice.values)) for choice in space.choices)
        if point not in seen and point not in points:
            points.append(point)
    return points


def _import_optuna() -> ModuleType:
    with warnings.catch_warnings():
        # Without ipywidgets, importing its progress bars warns in notebooks; none of them is used.
        warnings.filterwarnings("ignore", message="IProgress not found")
        import optuna  # noqa: PLC0415 - half a second that no other member needs
    return optuna


def _make_study(seed: int) -> Study:
    optuna = _import_optuna()
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Multivariate sampling is called experimental; it has been there since 2020.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=1
            )
            study: Study = optuna.create_study(direction="maximize", sampler=sampler)
            return study
    finally:
        optuna.logging.set_verbosity(level)
