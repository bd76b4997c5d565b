from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import AuthError, ConnectError, InputError, ParseError
from langprog.modules.vote import answer_key, samples_needed

ASK = "question -> answer"


def saying(*answers: str | Exception) -> lp.ScriptedLM:
    """Answer draw by draw, in the order in which requests come."""
    return lp.ScriptedLM(
        [one if isinstance(one, Exception) else f"[[answer]]\n{one}" for one in answers]
    )


def judging(*answers: str, good: str) -> lp.ScriptedLM:
    """Answer draw by draw; as a judge, accept what contains ``good``."""
    left = iter(answers)

    def reply(request: lp.Request) -> str:
        if "[[right]]" in request.messages[0].content:
            return f"[[right]]\n{good in request.messages[-1].content}"
        return f"[[answer]]\n{next(left)}"

    return lp.ScriptedLM(reply)


def test_the_most_frequent_answer_wins() -> None:
    with lp.using(lm=saying("7", "8", "8", "9", "8")):
        prediction = lp.Vote(lp.Predict(ASK), k=5)(question="3+5")
    assert prediction.answer == "8"
    assert prediction.usage.calls == 5


def test_sampling_ends_when_the_winner_is_certain() -> None:
    model = saying("8", "8", "8", "never", "asked")
    with lp.using(lm=model):
        assert lp.Vote(lp.Predict(ASK), k=5)(question="3+5").answer == "8"
    assert model.calls == 3


def test_every_sample_has_a_seed_of_its_own_and_a_temperature() -> None:
    model = saying("1", "2", "3")
    with lp.using(lm=model):
        lp.Vote(lp.Predict(ASK), k=3, temperature=0.9)(question="?")
    assert len({request.sampling.seed for request in model.requests}) == 3
    assert {request.sampling.temperature for request in model.requests} == {0.9}


def test_a_predictor_keeps_the_temperature_that_it_names() -> None:
    model = saying("1", "2", "3")
    with lp.using(lm=model):
        lp.Vote(lp.Predict(ASK, temperature=0.3), k=3)(question="?")
    assert {request.sampling.temperature for request in model.requests} == {0.3}


def test_votes_inside_votes_draw_apart() -> None:
    model = lp.ScriptedLM(lambda request: f"[[answer]]\n{request.sampling.seed}")
    with lp.using(lm=model):
        lp.Vote(lp.Vote(lp.Predict(ASK), k=3), k=3)(question="?")
    assert len({request.sampling.seed for request in model.requests}) == 9


def test_a_vote_of_one_asks_the_module_as_it_is() -> None:
    model = saying("8")
    with lp.using(lm=model):
        lp.Vote(lp.Predict(ASK), k=1)(question="3+5")
    assert model.requests[0].sampling == lp.Sampling()


def test_letter_case_and_spaces_are_no_other_answer_and_the_reasoning_does_not_count() -> None:
    replies = [("a", "Oslo"), ("b", " oslo "), ("c", "Rome")]
    model = lp.ScriptedLM([f"[[reasoning]]\n{why}\n[[answer]]\n{said}" for why, said in replies])
    with lp.using(lm=model):
        prediction = lp.Vote(lp.ChainOfThought(ASK), k=3)(question="capital of Norway")
    assert prediction.answer == "Oslo"
    assert prediction.reasoning == "a"


def test_a_vote_on_some_outputs() -> None:
    replies = [("1", "x"), ("2", "y"), ("3", "y")]
    model = lp.ScriptedLM([f"[[note]]\n{note}\n[[answer]]\n{said}" for note, said in replies])
    with lp.using(lm=model):
        vote = lp.Vote(lp.Predict("question -> note, answer"), k=3, on=["answer"])
        assert vote(question="?").note == "2"


def test_samples_that_fail_have_no_vote() -> None:
    model = saying(ConnectError("reset"), "8", "8")
    with lp.using(lm=model):
        assert lp.Vote(lp.Predict(ASK), k=3)(question="3+5").answer == "8"


def test_where_all_samples_fail_the_first_failure_is_raised() -> None:
    with lp.using(lm=saying(ConnectError("first"), ConnectError("2"), ConnectError("3"))):
        with pytest.raises(ConnectError, match="first"):
            lp.Vote(lp.Predict(ASK), k=3)(question="3+5")


def test_a_wrong_key_stops_the_vote() -> None:
    with lp.using(lm=saying("8", AuthError("wrong key"), "8")), pytest.raises(AuthError):
        lp.Vote(lp.Predict(ASK), k=3)(question="3+5")


def test_refused_samples_have_no_vote_unless_all_are() -> None:
    keep = lp.Predict("question, answer -> right: bool")
    for good, winner in (("8", "8"), ("none of them", "7")):
        with lp.using(lm=judging("7", "7", "8", good=good)):
            vote = lp.Vote(lp.Predict(ASK), k=3, keep=keep)
            assert vote(question="3+5").answer == winner


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"k": 0}, "number of samples"),
        ({"k": True}, "number of samples"),
        ({"temperature": 0.0}, "above 0"),
        ({"keep": lp.Predict("answer -> why")}, "bool or a number"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        lp.Vote(lp.Predict(ASK), **options)  # type: ignore[arg-type]  # wrong on purpose


def test_a_vote_on_an_output_that_there_is_not() -> None:
    with lp.using(lm=saying("1", "2", "3")), pytest.raises(InputError, match="vote is on team"):
        lp.Vote(lp.Predict(ASK), k=3, on=["team"])(question="?")


def test_unreadable_samples_are_lost_alone() -> None:
    model = lp.ScriptedLM(
        lambda request: "[[answer]]\n8" if request.sampling.seed in good else "no number"
    )
    good: set[int | None] = set()
    vote = lp.Vote(lp.Predict("question -> answer: int"), k=3)
    with lp.using(lm=model), pytest.raises(ParseError):
        vote(question="3+5")
    good.add(model.requests[0].sampling.seed)
    with lp.using(lm=model):
        assert vote(question="3+5").answer == 8


def test_k_is_a_parameter() -> None:
    vote = lp.Vote(lp.Predict(ASK), k=5)
    assert vote.parameters()["program.k"].value == 5
    assert vote.with_parameters({"program.k": 9}).k == 9
    assert vote.k == 5
    with pytest.raises(InputError):
        vote.with_parameters({"program.k": 0})


@given(st.lists(st.sampled_from("abc"), min_size=9, max_size=9), st.integers(1, 9))
def test_stopping_early_changes_no_winner(answers: list[str], k: int) -> None:
    votes: Counter[str] = Counter()
    drawn = 0
    while (wave := samples_needed(votes, k - drawn)) and drawn < k:
        votes.update(answers[drawn : drawn + wave])
        drawn += wave
    everything = Counter(answers[:k])
    assert drawn <= k
    best = max(everything.values())
    assert everything[votes.most_common(1)[0][0]] == best


def test_an_early_stop_pays_on_the_average() -> None:
    rng = random.Random(0)
    drawn = []
    for _ in range(300):
        model = lp.ScriptedLM(lambda _: f"[[answer]]\n{rng.random() < 0.9}")
        with lp.using(lm=model):
            lp.Vote(lp.Predict(ASK), k=9)(question="?")
        drawn.append(model.calls)
    assert 5 <= sum(drawn) / len(drawn) < 6.5


def test_equal_sets_and_decimals_are_one_answer() -> None:
    # Sets that are equal may be shown in different orders.
    left, right = {8, 0}, {0}
    right.add(8)
    assert repr([1, *left]) and answer_key({"a": left}, ()) == answer_key({"a": right}, ())
    assert answer_key({"a": Decimal("9.90")}, ()) == answer_key({"a": Decimal("9.9")}, ())
    assert answer_key({"a": {"x": {1}, "y": 2}}, ()) == answer_key({"a": {"y": 2, "x": {1}}}, ())
    assert answer_key({"a": {1}}, ()) != answer_key({"a": [1]}, ())
