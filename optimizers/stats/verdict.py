"""What ships, and why, from what may be claimed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from langprog.evaluation import Claim, Claims
from langprog.lm import Cost
from optimizers.stats.certificate import Verdict
from optimizers.stats.terms import Terms


def decide_verdict(
    claims: Claims, terms: Terms, failed: Sequence[str], same: bool, costs: tuple[Cost, Cost]
) -> tuple[Verdict, str]:
    wanted = {
        "quality": "better",
        "cost": "not worse and cheaper",
        "latency": "not worse and quicker",
    }[terms.objective]
    if same:
        what = {"quality": "better", "cost": "cheaper", "latency": "quicker"}[terms.objective]
        return "original", f"The search found nothing {what} than the program as it is."
    if claims.finding == wanted and not failed:
        return "certified", _describe_proof(claims, terms)
    if claims.finding == "worse":
        return "original", "The compiled program is worse, so the program stays as it is."
    if failed:
        reason = (
            f"The compiled program does not pass {len(failed)} of the examples that must pass "
            f"({', '.join(failed[:3])}{', ...' if len(failed) > 3 else ''})"
        )
    else:
        reason = _describe_doubt(claims, terms, costs)
    if terms.accept == "best":
        return "uncertified", f"{reason}; shipped because the best was asked for."
    return "original", f"{reason}, so the program stays as it is."


def _describe_proof(claims: Claims, terms: Terms) -> str:
    sure = f"({_describe_confidence(terms.level)} confidence)"
    if terms.objective == "quality":
        return f"The gain is larger than chance explains: at least {claims.low:+.3f} {sure}."
    share = next(claim for claim in claims.tested if claim.name in ("cheaper", "quicker"))
    return (
        f"It is not worse by more than {terms.tolerance:g} (at least {claims.low:+.3f}), and "
        f"{share.name} on most queries (at least {share.bound:.0%}), both {sure}."
    )


def _describe_confidence(level: float) -> str:
    """Return 1 - level in percent, rounded down, with as many digits as tell it from 100 %."""
    digits = max(0, 1 - math.floor(math.log10(100 * level) + 1e-9))
    digits = digits if level < 0.01 else 0
    scale = 10**digits
    return f"{math.floor(100 * (1 - level) * scale + 1e-6) / scale:.{digits}f} %"


def _describe_doubt(claims: Claims, terms: Terms, costs: tuple[Cost, Cost]) -> str:
    if terms.objective == "quality":
        return "No gain could be detected"
    failed: Claim = next(claim for claim in claims.tested if not claim.holds)
    if failed.name == "not worse":
        return (
            f"It could not be shown to be not worse by more than {terms.tolerance:g} (it may lose "
            f"{max(0.0, -claims.low):.3f})"
        )
    what = "cheaper" if terms.objective == "cost" else "quicker"
    before, after = costs
    more = ""
    if terms.objective == "cost" and after.dollars > before.dollars:
        more = ": it costs more"
    elif terms.objective == "cost" and before.dollars == 0:
        more = ": neither has a price"
    return f"It could not be shown to be {what} on most queries{more}"
