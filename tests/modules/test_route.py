from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError
from langprog.modules import hash_words

ASK = lp.Predict("question -> answer")
MODELS = ["scripted/a", "scripted/b", "scripted/c"]


def center(text: str) -> tuple[tuple[int, float], ...]:
    return tuple(hash_words({"question": text}, 256).items())


def router(trade: float = 0.0) -> lp.Router:
    centers = (center("sum of numbers"), center("capital of a country"))
    return lp.Router(centers, 256, ((0.9, 0.95), (0.2, 0.8)), (1.0, 10.0), trade)


def answer(program: lp.Module, question: str, broken: str = "") -> str:
    def made(name: str) -> lp.ScriptedLM:
        failure = ConnectError("reset")
        return lp.ScriptedLM(
            lambda _: failure if name == broken else f"[[answer]]\n{name}", name=name
        )

    with lp.using(models=[made(name) for name in MODELS]):
        return str(program(question=question).answer)


def test_without_a_router_the_last_step_answers() -> None:
    assert answer(lp.Route.over(ASK, MODELS[:2]), "capital of Norway") == "scripted/b"


def test_the_input_decides_and_cost_counts() -> None:
    best = lp.Route.over(ASK, MODELS[:2], router=router())
    assert answer(best, "the sum of two numbers") == "scripted/b"
    thrifty = lp.Route.over(ASK, MODELS[:2], router=router(trade=0.02))
    assert answer(thrifty, "the sum of two numbers") == "scripted/a"
    assert answer(thrifty, "capital of which country") == "scripted/b"


def test_a_step_that_fails_hands_the_input_on() -> None:
    thrifty = lp.Route.over(ASK, MODELS[:2], router=router(trade=0.02))
    assert answer(thrifty, "the sum of two numbers", broken="scripted/a") == "scripted/b"
    alone = lp.Route.over(ASK, MODELS[:1])
    with pytest.raises(ConnectError):
        answer(alone, "the sum", broken="scripted/a")


def test_a_new_step_is_known_from_its_results_alone() -> None:
    route = lp.Route.over(ASK, MODELS[:2], router=router(trade=0.02))
    new = lp.Predict("question -> answer", model=MODELS[2])
    wider = route.with_step(new, [0.1, 0.9], 2.0)
    assert answer(wider, "capital of which country") == "scripted/c"
    assert answer(wider, "the sum of two numbers") == "scripted/a"
    assert len(route.steps) == 2
    with pytest.raises(InputError, match="2 clusters, not 1"):
        route.with_step(new, [0.5], 2.0)
    with pytest.raises(InputError, match="no router yet"):
        lp.Route([ASK]).with_step(new, [0.5], 2.0)


def test_the_router_is_a_parameter_and_plain_data() -> None:
    route = lp.Route.over(ASK, MODELS[:2])
    assert route.parameters()["program.router"].value is None
    fitted = route.with_parameters({"program.router": router().to_json()})
    assert fitted.router == router()
    with pytest.raises(InputError, match="not a Router"):
        route.with_parameters({"program.router": {"centers": 3}})
    with pytest.raises(InputError, match="knows 2 steps"):
        lp.Route.over(ASK, MODELS, router=router())


def test_the_trace_says_which_step_was_picked() -> None:
    fitted = lp.Route.over(ASK, MODELS[:2], router=router())
    models = [lp.ScriptedLM(lambda _: "[[answer]]\nx", name=name) for name in MODELS]
    with lp.using(models=models):
        steps = fitted(question="the sum of numbers").trace
    assert [step.path for step in steps] == ["program", "steps[1]"]
    assert steps[0].outputs == {"step": 1}


def test_words_are_scaled_and_fields_kept_apart() -> None:
    words = hash_words({"a": "one two", "b": "one"}, 4096)
    assert sum(weight**2 for weight in words.values()) == pytest.approx(1.0)
    assert hash_words({"a": "one"}, 4096).keys() != hash_words({"b": "one"}, 4096).keys()
    assert hash_words({"a": "..."}, 4096) == {}
