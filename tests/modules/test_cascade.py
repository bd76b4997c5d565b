from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError
from langprog.lm import Completion
from langprog.modules import Rule, Signal, hash_words, signal_from

ASK = lp.Predict("question -> answer")
CHEAP, DEAR = "scripted/cheap", "scripted/dear"


def model(name: str, answer: str | Exception, *logprobs: float) -> lp.ScriptedLM:
    def reply(request: lp.Request) -> str | Completion | Exception:
        if isinstance(answer, Exception):
            return answer
        if "[[right]]" in request.messages[0].content:
            return f"[[right]]\n{'sure' in request.messages[-1].content}"
        texts = (f"[[answer]]\n{answer}",)
        said = (tuple(logprobs),) if logprobs and request.logprobs else None
        return Completion(texts, name, logprobs=said)

    return lp.ScriptedLM(reply, name=name)


def asked(cascade: lp.Cascade, models: Sequence[lp.ScriptedLM]) -> tuple[str, list[int]]:
    with lp.using(lm=models[0], models=models):
        prediction = cascade(question="?")
    return prediction.answer, [one.calls for one in models]


def test_a_sure_answer_is_taken_and_an_unsure_one_is_not() -> None:
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], thresholds=[0.5])
    sure = [model(CHEAP, "a", -0.1, -0.2), model(DEAR, "b")]
    assert asked(cascade, sure) == ("a", [1, 0])
    unsure = [model(CHEAP, "a", -0.1, -3.0), model(DEAR, "b")]
    assert asked(cascade, unsure) == ("b", [1, 1])


def test_without_thresholds_the_last_step_answers() -> None:
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR])
    models = [model(CHEAP, "a"), model(DEAR, "b")]
    assert asked(cascade, models) == ("b", [0, 1])
    assert not models[1].requests[0].logprobs


def test_the_quantile_says_which_token_counts() -> None:
    signal = lp.signals.LogProbability(0.5)
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], thresholds=[0.5], signal=signal)
    models = [model(CHEAP, "a", -0.1, -0.2, -3.0), model(DEAR, "b")]
    assert asked(cascade, models) == ("a", [1, 0])


def test_samples_that_agree_are_sure() -> None:
    cascade = lp.Cascade.over(
        ASK, [CHEAP, DEAR], thresholds=[0.9], signal=lp.signals.Agreement(k=4)
    )
    assert asked(cascade, [model(CHEAP, "a"), model(DEAR, "b")]) == ("a", [4, 0])
    unsure = lp.ScriptedLM(lambda r: f"[[answer]]\n{r.sampling.seed}", name=CHEAP)
    assert asked(cascade, [unsure, model(DEAR, "b")]) == ("b", [4, 1])


def test_the_own_check_decides() -> None:
    check = lp.Predict("answer -> right: bool")
    options = {"thresholds": [1.0], "signal": "check", "check": check}
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], **options)
    judge = model("scripted/judge", "")
    for said, wanted in (("sure thing", "sure thing"), ("maybe", "b")):
        models = [judge, model(CHEAP, said), model(DEAR, "b")]
        assert asked(cascade, models)[0] == wanted


def test_a_learned_rule_decides_from_tokens_and_words() -> None:
    rules = (Rule(0.0, (10.0, 0, 0, 0, 0, 0, 0), ()), Rule())
    cascade = lp.Cascade.over(
        ASK, [CHEAP, DEAR], thresholds=[0.2], signal=lp.signals.Learned(rules)
    )
    assert asked(cascade, [model(CHEAP, "a", -0.1), model(DEAR, "b")])[0] == "a"
    assert asked(cascade, [model(CHEAP, "a", -1.0), model(DEAR, "b")])[0] == "b"
    place = next(iter(hash_words({"answer": "a"}, 64)))
    words = lp.signals.Learned((Rule(-3.0, (), ((place, 20.0),)), Rule()), buckets=64)
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], thresholds=[0.5], signal=words)
    assert asked(cascade, [model(CHEAP, "a"), model(DEAR, "b")])[0] == "a"
    assert asked(cascade, [model(CHEAP, "zzz"), model(DEAR, "b")])[0] == "b"


def test_a_step_that_fails_loses_there_and_nowhere_else() -> None:
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], thresholds=[0.5])
    broken = ConnectError("reset")
    assert asked(cascade, [model(CHEAP, broken), model(DEAR, "b")])[0] == "b"
    assert asked(cascade, [model(CHEAP, "a", -5.0), model(DEAR, broken)])[0] == "a"
    with pytest.raises(ConnectError):
        asked(cascade, [model(CHEAP, broken), model(DEAR, broken)])


def test_the_trace_says_why_it_went_on() -> None:
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], thresholds=[0.5])
    models = [model(CHEAP, "a", -3.0), model(DEAR, "b")]
    with lp.using(models=models):
        prediction = cascade(question="?")
    assert [step.path for step in prediction.trace] == ["steps[0]", "program", "steps[1]"]
    assert prediction.trace[1].inputs == {"question": "?"}
    assert prediction.trace[1].outputs == {
        "step": 0,
        "sure": pytest.approx(math.exp(-3.0)),
        "threshold": 0.5,
        "answer": {"answer": "a"},
    }
    assert prediction.usage.calls == 2


def test_a_model_without_log_probabilities_is_named() -> None:
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR], thresholds=[0.5])
    with pytest.raises(InputError, match=f"{CHEAP} returns no log-probabilities"):
        asked(cascade, [model(CHEAP, "a"), model(DEAR, "b")])


def test_tiers_and_signal_are_parameters() -> None:
    cascade = lp.Cascade.over(ASK, [CHEAP, DEAR])
    assert cascade.parameters()["program.tiers"].value == [[1, None]]
    new = cascade.with_parameters(
        {"program.tiers": [[0, 0.25], [1, None]], "program.signal": {"signal": "check"}}
    )
    assert [tier.to_json() for tier in new.tiers] == [[0, 0.25], [1, None]]
    assert new.signal == lp.signals.Checked()
    assert cascade.parameters()["program.tiers"].value == [[1, None]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"thresholds": [0.5, 0.5]}, "takes 1 thresholds"),
        ({"tiers": [[2, None]]}, "steps from 0 to 1"),
        ({"tiers": [[0, 0.5], [0, None]]}, "each at most once"),
        ({"tiers": [[0, None], [1, None]]}, "needs a threshold"),
        ({"tiers": [[0, math.nan], [1, None]]}, "threshold has to be a number"),
        ({"signal": "hunch"}, "a signal must be one of"),
        ({"signal": {"signal": "logprob", "quantile": 2}}, "from 0 to 1"),
        ({"signal": {"signal": "logprob", "places": 2}}, "is invalid"),
    ],
)
def test_what_does_not_fit_is_said(options: Mapping[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        lp.Cascade.over(ASK, [CHEAP, DEAR], **options)


def test_a_program_whose_models_are_fixed_has_no_cascade_over_models() -> None:
    with pytest.raises(InputError, match="already names a model"):
        lp.Cascade.over(lp.Predict("a -> b", model=CHEAP), [DEAR])


MEMBERS: list[Signal] = [
    lp.signals.LogProbability(0.1),
    lp.signals.Agreement(5, 0.4),
    lp.signals.Checked(),
    lp.signals.Learned((Rule(0.5, (0.1,) * 7, ((3, -0.25), (9, 1.5))), Rule()), 128),
]


@pytest.mark.parametrize("signal", MEMBERS, ids=lambda one: one.name)
def test_every_signal_comes_back_from_plain_data(signal: Signal) -> None:
    assert signal_from(signal.to_json()) == signal


@pytest.mark.parametrize(
    "data",
    [
        {"signal": "agreement", "k": "3"},
        {"signal": "agreement", "k": True},
        {"signal": "agreement", "k": 2.5},
        {"signal": "agreement", "temperature": [1]},
        {"signal": "agreement", "temperature": "hot"},
        {"signal": "agreement", "temperature": 0},
        {"signal": "logprob", "quantile": "low"},
        {"signal": "logprob", "quantile": True},
        {"signal": "learned", "buckets": {}},
        {"signal": "learned", "buckets": -1},
        {"signal": "learned", "rules": [{"words": [], "tokens": []}]},
    ],
)
def test_settings_of_a_signal_that_do_not_fit_are_refused(data: Mapping[str, object]) -> None:
    with pytest.raises(InputError):
        signal_from(data)


@pytest.mark.parametrize("signal", MEMBERS[:2], ids=lambda one: one.name)
def test_the_embedded_model_is_surer_where_the_answer_is_in_front_of_it(signal: Signal) -> None:
    ask = lp.Predict("passage, question -> answer", instruction="Answer from the passage.")
    cascade = lp.Cascade([ask], tiers=[[0, 0.0]], signal=signal)
    with lp.using(lm="pocket/small"):
        step = cascade(passage="Mira lives in Oslo.", question="Where does Mira live?").trace[-1]
    assert 0.0 < step.outputs["sure"] <= 1.0
