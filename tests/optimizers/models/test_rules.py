"""A learned chance that an answer is right."""

from __future__ import annotations

import random

import pytest

from langprog.modules import hash_words
from optimizers.models.rules import LabeledAnswer, fit_rule


def answers(count: int, rng: random.Random) -> list[LabeledAnswer]:
    """Right where the tokens are certain and the subject is no tax."""
    labeled = []
    for _ in range(count):
        certain, subject = rng.gauss(0, 1), rng.choice(["tax", "router"])
        right = rng.random() < (0.9 if certain > 0 and subject == "router" else 0.2)
        labeled.append(LabeledAnswer({"question": f"my {subject}"}, [certain, 5.0], float(right)))
    return labeled


def test_a_rule_tells_right_from_wrong_on_new_answers() -> None:
    rng = random.Random(1)
    rule = fit_rule(answers(400, rng), 64)

    def chance(answer: LabeledAnswer) -> float:
        return rule.chance(answer.tokens, hash_words(answer.values, 64))

    fresh = answers(400, rng)
    right = [chance(answer) for answer in fresh if answer.score == 1.0]
    wrong = [chance(answer) for answer in fresh if answer.score == 0.0]
    above = sum(a > b for a in right for b in wrong) / (len(right) * len(wrong))
    assert above > 0.7  # certainty about the answers themselves would give 0.77
    mean = sum(map(chance, fresh)) / len(fresh)
    assert mean == pytest.approx(sum(answer.score for answer in fresh) / len(fresh), abs=0.08)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_where_all_answers_are_alike_the_rule_is_their_share(score: float) -> None:
    rule = fit_rule([LabeledAnswer({"q": "x"}, [1.0], score)] * 10, 16)
    assert rule.words == () and rule.tokens == ()
    assert rule.chance([], {}) == pytest.approx((10 * score + 1) / 12)


def test_words_alone_and_tokens_alone() -> None:
    rng = random.Random(2)
    some = answers(200, rng)
    assert fit_rule(some, 0).words == ()
    bare = [LabeledAnswer(answer.values, [], answer.score) for answer in some]
    rule = fit_rule(bare, 32)
    assert rule.tokens == () and rule.words
