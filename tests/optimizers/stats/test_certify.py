from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

import langprog as lp
from langprog.errors import ServerError
from langprog.evaluation import MetricErrors, Row
from langprog.lm import Completion, Usage
from langprog.modules import RunUsage
from optimizers.evaluation.scoring import FailureLog, Scoring
from optimizers.stats.certificate import Certificate
from optimizers.stats.certify import Holdout, certify
from optimizers.stats.terms import Terms

# What a model does on row n: its answer, dollars and seconds.
Rule = Callable[[int], tuple[float, float, float]]

PROGRAM = lp.Predict("x -> y: float")
QUALITY = Terms()


def rows(count: int, times: int = 1) -> tuple[list[lp.Example], list[str]]:
    examples = [lp.Example(x=f"row {n}.", y=1.0) for n in range(count)] * times
    return examples, [example.x for example in examples]


def answer_score(example: lp.Example, prediction: lp.Prediction) -> float:
    return float(prediction.y)


def model(name: str, rule: Rule) -> lp.ScriptedLM:
    def reply(request: lp.Request) -> Completion:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].partition(".")[0])
        score, dollars, seconds = rule(number)
        text = f"[[y]]\n{score}"
        return Completion((text,), name, Usage(5, 5), dollars=dollars, latency=seconds)

    return lp.ScriptedLM(reply, name=name)


def examine(
    before: Rule,
    after: Rule,
    count: int,
    terms: Terms = QUALITY,
    *,
    times: int = 1,
    must_pass: int = 0,
    score_range: tuple[float, float] = (0, 1),
) -> Certificate:
    first, second = model("m/before", before), model("m/after", after)
    examples, clusters = rows(count, times)
    metric = lp.metric(range=score_range)(lambda e, p: answer_score(e, p))
    required, _ = rows(must_pass)
    with lp.using(lm=first, models=[second]):
        certificate, _ = asyncio.run(
            certify(
                PROGRAM,
                PROGRAM.with_parameters({"predict.model": second}),
                Holdout(examples, clusters, required),
                Scoring(metric),
                terms,
                concurrency=8,
            )
        )
    return certificate


def always(score: float, dollars: float = 0.01, seconds: float = 1.0) -> Rule:
    return lambda number: (score, dollars, seconds)


def test_a_large_gain_is_better() -> None:
    found = examine(always(0), always(1), 30)
    assert (found.verdict, found.finding) == ("certified", "better")
    assert found.low > 0 and found.n == found.rows == 30 and found.level == 0.04
    assert "at least" in found.reason and "96 % confidence" in found.reason
    assert "p = " in str(found)


def test_a_loss_is_worse_and_never_ships() -> None:
    for accept in ("certified", "best"):
        found = examine(always(1), always(0), 30, Terms(accept=accept))
        assert (found.verdict, found.finding) == ("original", "worse")
        assert "worse" in found.reason


def test_what_cannot_be_told_ships_only_where_the_best_was_asked_for() -> None:
    tied = examine(always(1), always(1), 30)
    assert (tied.verdict, tied.finding) == ("original", "cannot tell")
    best = examine(always(1), always(1), 30, Terms(accept="best"))
    assert (best.verdict, best.finding) == ("uncertified", "cannot tell")


def test_a_tie_is_no_win_for_not_worse() -> None:
    cheap = always(1, 0.001)
    terms = Terms("cost", 0.05)
    assert terms.fewest_clusters((0, 1)) == 63
    assert examine(always(1), cheap, 62, terms).verdict == "original"
    found = examine(always(1), cheap, 63, terms)
    assert (found.verdict, found.finding) == ("certified", "not worse and cheaper")
    assert found.low >= -0.05 and "cheaper on most queries" in found.reason


def test_a_wider_range_needs_as_many_for_the_same_share_of_it() -> None:
    terms = Terms("cost", 0.2)
    assert terms.fewest_clusters((1, 5)) == Terms("cost", 0.05).fewest_clusters((0, 1))
    found = examine(always(5), always(5, 0.001), 63, terms, score_range=(1, 5))
    assert found.verdict == "certified" and found.low >= -0.2


def test_as_good_but_not_cheaper_is_not_what_was_asked_for() -> None:
    for after in (always(1, 0.01), always(1, 0.02), lambda n: (1, 0.005 if n % 2 else 0.02, 1)):
        found = examine(always(1), after, 100, Terms("cost", 0.05))
        assert found.verdict == "original" and "cheaper" in found.reason
    assert "it costs more" in examine(always(0), always(1, 1.0), 100, Terms("cost", 0.05)).reason


def test_free_programs_are_not_cheaper() -> None:
    found = examine(always(1, 0.0, 1.0), always(1, 0.0, 0.1), 100, Terms("cost", 0.05))
    assert found.verdict == "original" and "neither has a price" in found.reason


def test_quicker_is_about_most_queries_and_not_about_a_few_slow_ones() -> None:
    def rarely_slow(number: int) -> tuple[float, float, float]:
        return 1, 0.01, 500.0 if number % 10 == 0 else 1.0

    terms = Terms("latency", 0.05)
    # Its total is a hundredth, but on nine queries of ten it is slower.
    assert examine(rarely_slow, always(1, 0.01, 1.1), 100, terms).verdict == "original"
    assert examine(always(1), always(1, 0.01, 0.9), 100, terms).verdict == "certified"


def test_copies_count_as_one_observation() -> None:
    assert examine(always(0), always(1), 4, times=10).verdict == "original"
    found = examine(always(0), always(1), 6, times=10)
    assert found.verdict == "certified" and (found.n, found.rows) == (6, 60)
    assert "60 holdout examples with 6 distinct inputs" in str(found)


def test_every_cluster_weighs_the_same() -> None:
    # One input that wins stands there 50 times, ten that lose once each.
    examples = [lp.Example(x="row 0.", y=1.0)] * 50
    examples += [lp.Example(x=f"row {n}.", y=1.0) for n in range(1, 11)]

    def rule(win: float, lose: float) -> Rule:
        return lambda number: (win if number == 0 else lose, 0.01, 1.0)

    second = model("m/after", rule(1, 0))
    with lp.using(lm=model("m/before", rule(0, 1)), models=[second]):
        found, _ = asyncio.run(
            certify(
                PROGRAM,
                PROGRAM.with_parameters({"predict.model": second}),
                Holdout(examples, [example.x for example in examples]),
                Scoring(answer_score),
                Terms(),
                concurrency=8,
            )
        )
    assert found.difference == pytest.approx((1 - 10) / 11)
    assert (found.wins, found.losses, found.n) == (1, 10, 11)


def test_a_later_attempt_needs_more() -> None:
    levels = [Terms(attempt=number).level for number in range(1, 40)]
    assert levels[0] == 0.04 and sum(levels) < 0.05 and levels == sorted(levels, reverse=True)
    first = examine(always(0), lambda n: (float(n < 6), 0.01, 1.0), 30)
    second = examine(always(0), lambda n: (float(n < 6), 0.01, 1.0), 30, Terms(attempt=2))
    assert first.verdict == "certified" and second.verdict == "original"
    assert second.p_value == pytest.approx(first.p_value, rel=0.5)


def test_an_example_that_must_pass_and_does_not_costs_the_certificate() -> None:
    def fails_on_two(number: int) -> tuple[float, float, float]:
        return float(number != 2), 0.01, 1.0

    found = examine(always(0), fails_on_two, 30, must_pass=5)
    assert found.finding == "better" and found.verdict == "original"
    assert found.must_pass[0] == 5 and len(found.must_pass[1]) == 1
    assert "must pass" in found.reason and "row 2." in found.reason
    assert examine(always(0), always(1), 30, must_pass=5).verdict == "certified"


def test_an_example_that_must_pass_has_to_pass_in_every_run() -> None:
    seen: dict[int, int] = {}

    def flickers_on_two(number: int) -> tuple[float, float, float]:
        seen[number] = seen.get(number, 0) + 1
        return float(number != 2 or seen[number] != 5), 0.01, 1.0

    # Two runs as an example of the holdout, then three as one that must pass.
    found = examine(always(0), flickers_on_two, 30, Terms(repeats=3), must_pass=4)
    assert found.finding == "better" and found.verdict == "original"
    assert "row 2." in found.reason and "in 1 of 3 runs" in found.reason


def test_repeats_tell_chance_from_examples() -> None:
    seen: dict[int, int] = {}

    def flickers(number: int) -> tuple[float, float, float]:
        seen[number] = seen.get(number, 0) + 1
        return float(number % 2 == 0 or seen[number] % 2 == 0), 0.01, 1.0

    found = examine(always(0), flickers, 20, Terms(repeats=2))
    assert found.repeats is not None and found.repeats.count == 2
    assert found.repeats.passed_after == 0.5 and found.repeats.passed_before == 0.0
    assert 0 < found.repeats.within <= 1
    assert found.n == found.rows == 20 and found.after is not None
    assert found.after.mean == pytest.approx(0.75)
    assert "all of 2 runs pass on 0% of the examples before, on 50% after" in str(found.repeats)


def test_the_runs_of_one_example_belong_together_and_are_sampled_anew() -> None:
    seeds: dict[int, list[int | None]] = {}

    def reply(request: lp.Request) -> Completion:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].partition(".")[0])
        runs = seeds.setdefault(number, [])
        runs.append(request.sampling.seed)
        # Eight examples fail in the first run, eight others in the second one.
        failed = number < 8 if len(runs) == 1 else 8 <= number < 16
        text = f"[[y]]\n{float(not failed)}"
        return Completion((text,), "m/after", Usage(5, 5), dollars=0.01, latency=1.0)

    second = lp.ScriptedLM(reply, name="m/after")
    with lp.using(lm=model("m/before", always(0)), models=[second]):
        found, _ = asyncio.run(
            certify(
                PROGRAM,
                PROGRAM.with_parameters({"predict.model": second}),
                Holdout(*rows(20)),
                Scoring(answer_score),
                Terms(repeats=2),
                concurrency=8,
            )
        )
    assert found.repeats is not None and found.repeats.passed_after == pytest.approx(4 / 20)
    assert found.n == 20 and all(len(set(runs)) == 2 for runs in seeds.values())


def test_both_programs_are_run_at_the_same_time() -> None:
    order: list[str] = []

    def noting(name: str) -> Rule:
        def rule(number: int) -> tuple[float, float, float]:
            order.append(name)
            return 1.0, 0.01, 1.0

        return rule

    examine(noting("before"), noting("after"), 80, Terms("latency", 0.05))
    # A slow quarter of an hour of the endpoint has to meet both.
    for part in (order[:80], order[80:]):
        assert 20 <= part.count("before") <= 60


def test_too_few_are_said_before_and_not_run_below_five() -> None:
    lm = model("m/one", always(0))
    assert Terms().explain_too_few(5, (0, 1)) is None
    assert "at least 5" in (Terms().explain_too_few(4, (0, 1)) or "")
    assert "at least 63" in (Terms("cost", 0.05).explain_too_few(62, (0, 1)) or "")
    with lp.using(lm=lm):
        found, pairs = asyncio.run(
            certify(
                PROGRAM, PROGRAM, Holdout(*rows(4)), Scoring(answer_score), Terms(), concurrency=1
            )
        )
    assert found.verdict == "original" and lm.calls == 0 and not pairs


@pytest.mark.parametrize(("lost", "verdict"), [(3, "certified"), (4, "original")])
def test_with_more_than_a_tenth_missing_nothing_is_claimed(lost: int, verdict: str) -> None:
    def reply(request: lp.Request) -> Completion | Exception:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].partition(".")[0])
        if number < lost:
            return ServerError("503", model="m/after")
        return Completion(("[[y]]\n1.0",), "m/after", Usage(5, 5), dollars=0.01, latency=1.0)

    good = lp.ScriptedLM(reply, name="m/after")
    examples, clusters = rows(30)
    with lp.using(lm=model("m/before", always(0)), models=[good]):
        found, pairs = asyncio.run(
            certify(
                PROGRAM,
                PROGRAM.with_parameters({"predict.model": good}),
                Holdout(examples, clusters),
                Scoring(answer_score),
                Terms(),
                concurrency=8,
            )
        )
    assert found.verdict == verdict and len(pairs) == 30 - lost
    if verdict == "original":
        assert "4 of 30 runs on the holdout have no score (transport: 503)" in found.reason
    else:
        assert (found.n, found.missing) == (27, 3)


def test_a_certificate_is_plain_json() -> None:
    found = examine(always(0), always(1), 30, Terms(repeats=2), must_pass=2)
    data = json.loads(json.dumps(found.to_json()))
    assert data["finding"] == "better" and data["claims"][0]["name"] == "better"
    assert data["must_pass"] == {"examples": 2, "failed": []}
    assert data["ratios"]["dollars"] == pytest.approx(1.0)
    assert replace(found, verdict="original") != found


def fragile(number: int) -> tuple[float, float, float]:
    """Better on every tenth row, and what it writes on another tenth breaks the metric."""
    return (-1.0 if number % 10 == 2 else 1.0), 0.01, 1.0


def examine_fragile(
    before: Rule, after: Rule, error: type[Exception] = KeyError, count: int = 100
) -> Certificate:
    def metric(example: lp.Example, prediction: lp.Prediction) -> float:
        if prediction.y < 0:
            raise error("garbage")
        return float(prediction.y)

    first, second = model("m/before", before), model("m/after", after)
    with lp.using(lm=first, models=[second]):
        certificate, _ = asyncio.run(
            certify(
                PROGRAM,
                PROGRAM.with_parameters({"predict.model": second}),
                Holdout(*rows(count)),
                Scoring(metric, MetricErrors(20)),
                Terms(),
                concurrency=8,
            )
        )
    return certificate


def right_but_on_a_tenth(number: int) -> tuple[float, float, float]:
    return float(number % 10 != 1), 0.01, 1.0


def test_rows_that_only_the_compiled_program_loses_count_against_it() -> None:
    found = examine_fragile(right_but_on_a_tenth, fragile)
    assert (found.verdict, found.finding) == ("original", "cannot tell")
    assert (found.n, found.missing) == (90, 10) and found.low <= 0.0
    assert "missing=10: 10 runs of the compiled program (metric: the metric failed on" in str(
        found
    )
    assert found.to_json()["missing_runs"].startswith("10 runs of the compiled program")
    assert any(name == "missing" for name, _ in found.facts())


def test_rows_that_only_the_input_program_loses_are_no_gain() -> None:
    # Where the input program has no score, it may have been right.
    found = examine_fragile(fragile, lambda n: (float(n % 10 != 3), 0.01, 1.0))
    assert found.finding != "better" and found.missing == 10
    assert "10 runs of the input program" in str(found)


def test_a_large_gain_outweighs_a_few_missing_rows() -> None:
    found = examine_fragile(always(0), lambda n: (-1.0 if n == 7 else 1.0, 0.01, 1.0))
    assert found.verdict == "certified" and found.missing == 1


def searched() -> FailureLog:
    """Return the log of a search whose runs succeeded."""
    log, example = FailureLog(), lp.Example(x="a")
    row = Row(0, example, lp.Prediction(y=1), lp.Score(1.0), None, RunUsage())
    asyncio.run(log.add([row] * 40))
    return log


def test_a_base_that_breaks_on_the_holdout_makes_no_gain() -> None:
    class Searching(lp.Module):
        def __init__(self, broken: bool) -> None:
            self.answer = PROGRAM
            self.broken = broken

        def forward(self, x: str) -> lp.Prediction:
            out = self.answer(x=x)
            if self.broken:
                raise RuntimeError("the vector database is down")
            return out

    with lp.using(lm=model("m/before", always(1))):
        found, _ = asyncio.run(
            certify(
                Searching(True),
                Searching(False),
                Holdout(*rows(30)),
                Scoring(answer_score, failures=searched()),
                Terms(),
                concurrency=8,
            )
        )
    assert found.verdict == "original"
    assert "30 of 30 runs failed in one way (error: RuntimeError: the vector" in found.reason


def test_some_errors_of_the_input_program_are_named_beside_the_gain() -> None:
    class Searching(lp.Module):
        def __init__(self, broken: bool) -> None:
            self.answer = PROGRAM
            self.broken = broken

        def forward(self, x: str) -> lp.Prediction:
            if self.broken and int(x[4:-1]) % 2:
                raise RuntimeError("no such shelf")
            return self.answer(x=x)

    with lp.using(lm=model("m/before", always(1))):
        found, _ = asyncio.run(
            certify(
                Searching(True),
                Searching(False),
                Holdout(*rows(30)),
                Scoring(answer_score),
                Terms(),
                concurrency=8,
            )
        )
    assert found.verdict == "certified"
    assert "15 runs of the input program failed (error: RuntimeError: no such" in found.reason
