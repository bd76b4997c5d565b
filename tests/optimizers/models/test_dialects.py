"""Every optimizer ends on every endpoint, whatever the endpoint refuses of what we add."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogWarning
from langprog.lm import Budgeted, LanguageModel, Negotiated, Priced, dialect_of
from optimizers import MIPRO, FrugalCascade, LabeledFewShot, Optimizer, Searching, VoteSize
from tests.optimizers.members import MEMBERS, fitting
from tests.optimizers.refusing import REFUSALS, Refusing, refusing
from tests.optimizers.simulated import all_right, one_module, right_team, tickets, two_modules

Make = Callable[..., Optimizer]
ALL_MEMBERS: dict[str, Make] = {**MEMBERS, "votes": lambda: VoteSize()}
# Every member is refused everything. What is refused alone is learned in one place, for all of
# them: one that samples, one that asks for log-probabilities and one that does most else are
# enough.
CASES = [
    *((member, tuple(REFUSALS)) for member in ALL_MEMBERS),
    *(("votes", (name,)) for name in REFUSALS),
    ("cascade", ("logprobs",)),
    *(("compiler", (name,)) for name in ("seed", "response_format", "system")),
]


def model_at(seen: Refusing, **options: object) -> LanguageModel:
    settings = {"cache": False, "attempts": 1, "price": lp.Price(1.0, 2.0), **options}
    return lp.LM("sim/m", base_url=seen.base_url, **settings)


def program_for(member: str, optimizer: Optimizer) -> lp.Module:
    if member == "votes":
        return lp.Vote(one_module(), k=3)
    return fitting(optimizer, two_modules())


@pytest.mark.parametrize(
    ("member", "refused"),
    CASES,
    ids=[f"{member}-{refused[0] if len(refused) == 1 else 'all'}" for member, refused in CASES],
)
def test_no_refused_setting_ends_a_compile(member: str, refused: tuple[str, ...]) -> None:
    optimizer = ALL_MEMBERS[member]()
    metric = right_team if member == "votes" else all_right
    with refusing(*refused) as seen, warnings.catch_warnings():
        warnings.simplefilter("error", LangprogWarning)
        with lp.using(lm=model_at(seen)):
            compiled = optimizer.compile(
                program_for(member, optimizer),
                tickets(40),
                metric=metric,
                budget=lp.Budget(calls=300),
                seed=5,
            )
            prediction = compiled.program(ticket="ticket 7 about my router now please")
        # The compile learned all at once: no setting was refused to a second request.
        assert len(seen.refused) == len(set(seen.refused))
    assert prediction.team in ("billing", "network", "accounts")
    assert compiled.report.paid.calls <= 300


def test_what_an_endpoint_refuses_is_said_once_and_nothing_is_paid_for_it() -> None:
    with refusing("temperature", "seed", "system") as seen, lp.using(lm=model_at(seen)):
        compiled = LabeledFewShot().compile(
            one_module(), tickets(60), metric=right_team, budget=lp.Budget(calls=300)
        )
        assert sorted(seen.refused) == ["seed", "system", "temperature"]
        assert compiled.report.paid.calls == len(seen.answered)
    notes = [note.text for note in compiled.report.notes if "refuses" in note.text]
    assert notes == ["sim/m refuses seed, system, temperature: it is called without"]


def test_a_setting_of_the_users_own_is_dropped_with_a_warning() -> None:
    with refusing("temperature") as seen:
        model = model_at(seen, temperature=0.2)
        with lp.using(lm=model):
            with pytest.warns(LangprogWarning, match="sim/m does not accept temperature"):
                one_module()(ticket="about my invoice")
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                one_module()(ticket="about my router")
    assert seen.refused == ["temperature"]


@pytest.mark.parametrize("signal", ["logprob", "learned"])
def test_a_signal_without_log_probabilities_is_refused_before_anything_is_paid(
    signal: str,
) -> None:
    with refusing("logprobs") as seen:
        cheap = model_at(seen)
        dear = lp.ScriptedLM(lambda request: "[[team]]\nbilling", name="scripted/dear")
        program = lp.Cascade.over(one_module(), [cheap, dear])
        with pytest.raises(InputError, match=r"log-probabilities, which sim/m does not return"):
            FrugalCascade(signal=signal).compile(
                program, tickets(60), metric=right_team, budget=lp.Budget(calls=2000)
            )
        assert len(seen.answered) <= 1 and dear.calls == 0


def test_a_learned_signal_that_looks_at_no_tokens_needs_none() -> None:
    with refusing("logprobs") as seen:
        program = lp.Cascade.over(
            one_module(), [model_at(seen), lp.ScriptedLM(lambda _: "[[team]]\nbilling")]
        )
        compiled = FrugalCascade(signal="learned", tokens=False).compile(
            program, tickets(60), metric=right_team, budget=lp.Budget(calls=2000)
        )
        assert not seen.refused
    assert compiled.certificate.verdict in ("certified", "uncertified", "original")


def compile_in(run_dir: Path, seen: Refusing, calls: int | None) -> object:
    optimizer = MIPRO(instructions=3, searching=Searching(trials=4, finalists=1))
    with lp.using(lm=model_at(seen)):
        return optimizer.compile(
            two_modules(),
            tickets(60),
            metric=all_right,
            budget=lp.Budget(calls=calls),
            run_dir=run_dir,
            seed=5,
        )


def test_a_resumed_compile_knows_the_dialects_and_decides_the_same(tmp_path: Path) -> None:
    with refusing(*REFUSALS) as seen:
        first = compile_in(tmp_path, seen, None)
        refusals, answered = len(seen.refused), len(seen.answered)
        journal = tmp_path / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True)
        # As a kill leaves it: what was learned is there, a part of the calls is not.
        journal.write_text("".join(lines[: len(lines) // 2]))
        second = compile_in(tmp_path, seen, None)
        assert len(seen.refused) == refusals
        assert len(seen.answered) < 2 * answered
    assert second.candidate == first.candidate
    assert second.report.paid.calls == first.report.paid.calls
    assert [dict(one) for one in second.report.decisions] == [
        dict(one) for one in first.report.decisions
    ]


def test_a_dialect_in_the_journal_is_plain_data(tmp_path: Path) -> None:
    with refusing("seed") as seen:
        compile_in(tmp_path, seen, None)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    [record] = [data for line in lines if (data := json.loads(line))["kind"] == "dialect"]
    assert record["refused"] == ["seed"] and record["calls"] == 1


def test_the_layer_is_found_below_what_a_compile_puts_around_it() -> None:
    model = lp.LM("x/y", base_url="http://127.0.0.1:9/v1")
    layer = dialect_of(model)
    assert isinstance(layer, Negotiated)
    assert dialect_of(Budgeted(Priced(lp.ScriptedLM(["x"]), None))) is None
