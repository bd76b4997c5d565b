"""An artifact on another model: safe as it is, mended by a compile, or neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.errors import InputError, ModelError, TransportError
from langprog.evaluation import macro_f1
from langprog.lm import Request
from optimizers import BootstrapFewShot, LabeledFewShot, port
from optimizers.split import Inputs
from optimizers.stats.attempts import salted_digest
from tests.optimizers.refusing import refusing
from tests.optimizers.simulated import Triage, answers, field, team_of, tickets, two_modules

QUIET: Any = lambda event: None  # noqa: E731 - a view that shows nothing


def right_team(example: Any, prediction: Any) -> bool:
    return bool(example.team == prediction.team)


def right_upper(example: Any, prediction: Any) -> bool:
    return bool(example.team.upper() == prediction.team.upper())


def model(name: str, reply: Any) -> lp.ScriptedLM:
    return lp.ScriptedLM(reply, name=f"scripted/{name}")


def old_model() -> lp.ScriptedLM:
    return model("old", answers(0.95, 0.0))


def with_demos(request: Request) -> str:
    """Answer right where it is shown more than a few examples, else never."""
    ticket = field(request.messages[-1].content, "ticket")
    if not ticket:
        return "[[summary]]\nTickets."
    shown = sum(message.role == "assistant" for message in request.messages)
    return f"[[team]]\n{team_of(ticket) if shown > 2 else 'nobody'}"


@dataclass(frozen=True)
class Made:
    """An artifact and what it was made from."""

    path: Path
    run_dir: Path
    holdout: list[lp.Example]

    def program(self, lm: lp.ScriptedLM | None = None) -> lp.Module:
        return lp.load(self.path, [Triage], models={"scripted/old": lm or old_model()})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    holdout, shown = tickets(80, 1000), tickets(2, 2000)
    compiled = LabeledFewShot().compile(
        lp.Predict(Triage, model=old_model(), demos=shown),
        tickets(60),
        metric=right_team,
        holdout=holdout,
        run_dir=folder / "run",
        progress=QUIET,
    )
    compiled.save(folder / "a.json")
    return Made(folder / "a.json", folder / "run", holdout)


@pytest.fixture
def plain(tmp_path: Path) -> Made:
    """A program without demonstrations that was never compiled."""
    lp.save(lp.Predict(Triage, model=old_model()), tmp_path / "a.json")
    return Made(tmp_path / "a.json", tmp_path / "none", [])


def never(request: Request) -> str:
    raise AssertionError("this model must not be asked")


def test_recorded_rows_need_no_answer_of_the_old_model(made: Made, tmp_path: Path) -> None:
    silent = model("old", never)
    ported = port(
        made.path,
        model("new", answers(0.95, 0.0)),
        made.holdout,
        metric=right_team,
        program=made.program(silent),
        progress=QUIET,
    )
    assert ported.outcome == "safe" and ported.shown
    assert silent.calls == 0 and ported.paid.calls == 80
    assert ported.old is not None and ported.old.recorded == 80 and ported.old.cost is not None
    ported.save(tmp_path / "b.json")
    saved = read_artifact(tmp_path / "b.json")
    first = saved.data.lineage[0]
    assert (first.digest, first.optimizer) == (read_artifact(made.path).digest, "port")
    assert saved.model_names == ("scripted/new",)
    assert saved.evidence is not None and saved.evidence["port"]["outcome"] == "safe"
    # What was ported can be ported again without asking the model in between.
    again = port(
        tmp_path / "b.json",
        model("third", answers(0.95, 0.0)),
        made.holdout,
        metric=right_team,
        program=lp.load(tmp_path / "b.json", [Triage]),
        progress=QUIET,
    )
    assert again.outcome == "safe" and again.paid.calls == 80


def test_a_model_that_loses_is_not_safe(made: Made, tmp_path: Path) -> None:
    ported = port(
        made.path,
        model("new", lambda request: "[[team]]\nbilling"),
        made.holdout,
        metric=right_team,
        program=made.program(),
        optimizer=None,
        progress=QUIET,
    )
    assert ported.outcome == "worse" and not ported.shown
    assert "is worse" in ported.reason and "the test alone was asked for" in ported.reason
    with pytest.raises(InputError, match="nothing to save"):
        ported.save(tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()


def test_what_was_not_shown_is_saved_only_if_asked_for_and_says_so(
    made: Made, tmp_path: Path
) -> None:
    ported = port(
        made.path,
        model("new", lambda request: "[[team]]\nbilling"),
        made.holdout,
        metric=right_team,
        program=made.program(),
        optimizer=None,
        accept="best",
        progress=QUIET,
    )
    ported.save(tmp_path / "b.json")
    evidence = read_artifact(tmp_path / "b.json").evidence
    assert evidence is not None and evidence["port"]["outcome"] == "worse"


def test_a_program_that_loses_is_compiled_and_compared_on_rows_no_search_saw(
    plain: Made, tmp_path: Path
) -> None:
    old, new = old_model(), model("new", with_demos)
    ported = port(
        plain.path,
        new,
        tickets(220),
        metric=right_team,
        program=plain.program(old),
        optimizer=LabeledFewShot(),
        run_dir=tmp_path / "run",
        progress=QUIET,
    )
    assert ported.outcome == "mended"
    assert ported.test is not None and not ported.test.holds
    assert ported.final_test is not None and ported.final_test.claims.n == 110
    assert ported.compiled is not None and ported.compiled.certificate.verdict == "certified"
    assert ported.program.predictors()["predict"].demos
    # Neither model is asked the same twice, by the test and by the compile.
    assert old.calls == 220 and ported.paid.calls == old.calls + new.calls
    ported.save(tmp_path / "b.json")
    saved = read_artifact(tmp_path / "b.json")
    assert saved.evidence is not None
    assert saved.evidence["port"]["compiled"]["not worse"] is True
    assert saved.evidence["certificate"]["verdict"] == "certified"
    assert saved.data.lineage[0].digest == read_artifact(plain.path).digest


def test_an_old_model_that_is_gone_leaves_its_recorded_rows(made: Made) -> None:
    gone = model("old", never)
    ported = port(
        made.path,
        model("new", with_demos),
        [*made.holdout, *tickets(120, 5000)],
        metric=right_team,
        program=made.program(gone),
        old="recorded",
        tolerance=0.1,
        optimizer=LabeledFewShot(),
        progress=QUIET,
    )
    assert gone.calls == 0
    assert ported.test is not None and ported.test.claims.n == 80
    assert ported.outcome == "mended" and ported.compiled is not None
    sizes = [size for size, _ in ported.compiled.report.evidence.data.values()]
    assert sum(sizes) == 120  # the recorded rows were no part of it
    assert ported.final_test is not None and ported.final_test.claims.n == 80


def test_too_few_rows_and_too_small_budgets_are_refused_before_anything_is_paid(
    plain: Made,
) -> None:
    new = model("new", never)
    old = model("old", never)
    common: dict[str, Any] = {
        "metric": right_team,
        "program": plain.program(old),
        "progress": QUIET,
    }
    with pytest.raises(InputError, match=r"40 different inputs .* 59 are the fewest"):
        port(plain.path, new, tickets(40), **common)
    with pytest.raises(InputError, match=r"149 are the fewest"):
        port(plain.path, new, tickets(100), tolerance=0.02, **common)
    with pytest.raises(InputError, match=r"budget of 150 calls .* takes 200"):
        port(plain.path, new, tickets(100), budget=lp.Budget(calls=150), **common)
    assert new.calls == old.calls == 0


def test_the_fewest_inputs_are_said_before_anything_is_paid(plain: Made) -> None:
    said: list[str] = []
    new = model("new", lambda request: said.append("asked") or with_demos(request))
    port(
        plain.path,
        new,
        tickets(60),
        metric=right_team,
        program=plain.program(),
        optimizer=None,
        progress=lambda event: said.append(str(event)),
    )
    before = said[: said.index("asked")]
    assert any("59 are the fewest" in text and "about 120 calls" in text for text in before)


def test_a_model_that_answers_nothing_stops_the_run_early(plain: Made) -> None:
    def dead(request: Request) -> str:
        raise TransportError("connection refused")

    old, new = old_model(), model("new", dead)
    ported = port(
        plain.path,
        new,
        tickets(300),
        metric=right_team,
        program=plain.program(old),
        progress=QUIET,
    )
    assert ported.outcome == "cannot tell" and ported.test is None and ported.compiled is None
    assert "with the new model: all of the first 20 runs" in ported.reason
    assert "connection refused" in ported.reason
    assert old.calls <= 20


def test_two_models_that_nothing_can_be_read_of_are_not_equal(plain: Made) -> None:
    ported = port(
        plain.path,
        model("new", lambda request: "I cannot say."),
        tickets(60),
        metric=right_team,
        program=plain.program(model("old", lambda request: "Who knows?")),
        optimizer=None,
        progress=QUIET,
    )
    assert ported.outcome == "cannot tell" and "60 of 60 runs failed in one way" in ported.reason


def test_an_old_model_that_is_dead_points_to_the_recorded_rows(plain: Made) -> None:
    def dead(request: Request) -> str:
        raise TransportError("connection refused")

    new = model("new", answers(0.95, 0.0))
    ported = port(
        plain.path,
        new,
        tickets(300),
        metric=right_team,
        program=plain.program(model("old", dead)),
        progress=QUIET,
    )
    assert "with the old model: all of the first 20 runs" in ported.reason
    assert "--old recorded" in ported.reason and new.calls <= 20


def test_outages_are_missing_data_and_a_later_run_finishes(plain: Made, tmp_path: Path) -> None:
    down = {"share": 5}

    def flaky(request: Request) -> str:
        number = int(field(request.messages[-1].content, "ticket").split()[1])
        if down["share"] and number % down["share"] == 0:
            raise TransportError("reset")
        return answers(0.95, 0.0)(request)

    def once() -> Any:
        return port(
            plain.path,
            new,
            tickets(120),
            metric=right_team,
            program=plain.program(old),
            optimizer=None,
            run_dir=tmp_path / "run",
            progress=QUIET,
        )

    old, new = old_model(), model("new", flaky)
    ported = once()
    assert ported.outcome == "cannot tell" and ported.test is None
    assert "24 of 120 rows have no score" in ported.reason and "run the same" in ported.reason
    asked = old.calls
    down["share"] = 30
    few = once()
    # Four rows are missing: each counts as lost, never as a wrong answer of the other.
    assert few.test is not None and few.test.missing == 4 and few.test.claims.losses == 0
    assert few.test.loss > 0.05 and few.outcome == "cannot tell"
    down["share"] = 0
    assert once().outcome == "safe"
    assert old.calls == asked == 120


def test_rows_that_the_program_shows_as_demonstrations_are_not_compared(made: Made) -> None:
    program = made.program()
    demos = program.predictors()["predict"].demos
    assert demos
    known = [lp.Example(ticket=demo.ticket, team=demo.team) for demo in demos]
    ported = port(
        made.path,
        model("new", answers(0.95, 0.0)),
        [*known, *made.holdout],
        metric=right_team,
        program=program,
        progress=QUIET,
    )
    assert ported.test is not None and ported.test.claims.n == 80
    assert any("are demonstrations of the program" in note.text for note in ported.notes)


def test_rows_of_the_lineage_are_kept_apart(made: Made, tmp_path: Path) -> None:
    """Rows that chose the program are not compared, and no row used before certifies a compile."""
    fresh = tickets(200, 7000)
    ported = port(
        made.path,
        model("new", with_demos),
        [*tickets(60), *made.holdout, *fresh],
        metric=right_team,
        program=made.program(),
        optimizer=LabeledFewShot(),
        progress=QUIET,
    )
    assert any("60 rows were used to choose" in note.text for note in ported.notes)
    assert ported.old is not None and ported.old.recorded == 80
    assert ported.test is not None and ported.test.claims.n == 280
    assert ported.outcome == "mended" and ported.compiled is not None
    ported.save(tmp_path / "b.json")
    compiles = read_artifact(tmp_path / "b.json").data.compiles
    assert [each.optimizer for each in compiles] == ["port", "LabeledFewShot", "LabeledFewShot"]
    inputs, rows = Inputs(lp.load(tmp_path / "b.json", [Triage])), compiles[1]
    assert len(rows.holdout.split()) == 170
    used = [inputs.use_of(example) for example in [*tickets(60), *made.holdout]]
    assert set(used) <= {"choosing", "holdout"} and used[:60] == ["choosing"] * 60
    attempt = compiles[0].attempt
    assert attempt is not None and attempt.claim.startswith("port 0.05 ")
    assert (attempt.level, attempt.verdict) == (0.01, "certified")
    # The rows of the artifact's own holdout may be searched on, but certify nothing.
    train = {*rows.train.split(), *rows.validation.split()}
    salt = rows.salt
    key = Inputs(made.program()).similar_key
    assert {salted_digest(salt, key(each)) for each in made.holdout} <= train


def test_scores_by_another_metric_do_not_count(made: Made) -> None:
    old = old_model()
    ported = port(
        made.path,
        model("new", answers(0.95, 0.0)),
        made.holdout,
        metric=right_upper,
        program=made.program(old),
        progress=QUIET,
    )
    assert old.calls == 80
    assert any("by another metric" in note.text for note in ported.notes)


def test_of_several_models_each_is_named(tmp_path: Path) -> None:
    program = lp.Pipeline(
        team=lp.Predict("ticket -> team", model=model("one", with_demos)),
        mood=lp.Predict("ticket -> mood", model=model("two", with_demos)),
    )
    lp.save(program, tmp_path / "a.json")
    with pytest.raises(InputError, match="calls 2 models .* say which becomes which"):
        port(tmp_path / "a.json", "pocket/small", tickets(60), metric=right_team)
    with pytest.raises(ModelError, match="names no model 'scripted/three'"):
        port(
            tmp_path / "a.json",
            {"scripted/three": "pocket/small"},
            tickets(60),
            metric=right_team,
        )


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": 1.0}, "every program loses less"),
        ({"old": "new"}, "old"),
        ({"optimizer": "mipro"}, "pass an optimizer"),
        ({"accept": "all"}, "accept"),
        ({"concurrency": 0}, "concurrency"),
        ({"seed": "a"}, "seed"),
        ({"journal": "nowhere"}, "run_dir of the"),
        ({"budget": 3}, "Budget"),
        ({"metric": macro_f1("team")}, "metric of single rows"),
    ],
)
def test_bad_knobs_are_one_sentence(plain: Made, knobs: dict[str, Any], said: str) -> None:
    options: dict[str, Any] = {"metric": right_team, "program": plain.program(), **knobs}
    with pytest.raises(InputError, match=said):
        port(plain.path, model("new", never), tickets(80), **options)


def test_a_program_of_another_artifact_and_one_without_a_file_are_refused(plain: Made) -> None:
    with pytest.raises(InputError, match="is not the program of"):
        port(
            plain.path,
            model("new", never),
            tickets(80),
            metric=right_team,
            program=two_modules(),
        )
    with pytest.raises(InputError, match="takes the artifact's path"):
        port(plain.program(), model("new", never), tickets(80), metric=right_team)  # type: ignore[arg-type]


def test_a_model_is_not_compared_with_itself(plain: Made) -> None:
    old = old_model()
    with pytest.raises(InputError, match="the same, scripted/old"):
        port(plain.path, old, tickets(80), metric=right_team, program=plain.program(old))


def test_the_budget_covers_test_and_compile_together(plain: Made) -> None:
    old, new = old_model(), model("new", answers(0.2, 0.2))
    ported = port(
        plain.path,
        new,
        tickets(220),
        metric=right_team,
        program=plain.program(old),
        optimizer=BootstrapFewShot(),
        budget=lp.Budget(calls=1100),
        progress=QUIET,
    )
    assert ported.compiled is not None
    assert old.calls + new.calls <= 1100
    assert ported.paid.calls == old.calls + new.calls
    short = port(
        plain.path,
        model("new", answers(0.2, 0.2)),
        tickets(220),
        metric=right_team,
        program=plain.program(),
        optimizer=BootstrapFewShot(),
        budget=lp.Budget(calls=450),
        progress=QUIET,
    )
    assert short.compiled is None and "pays for 1 rows of its holdout" in short.reason


def test_a_budget_that_ends_early_shows_nothing(plain: Made) -> None:
    ported = port(
        plain.path,
        model("new", answers(0.95, 0.0)),
        tickets(100),
        metric=right_team,
        program=plain.program(),
        budget=lp.Budget(tokens=3000),
        progress=QUIET,
    )
    assert ported.outcome == "cannot tell" and ported.test is None and ported.compiled is None
    assert "The budget ended before every row was compared" in ported.reason
    assert ported.paid.tokens <= 3000


def test_a_model_without_a_price_is_refused_under_a_cap_in_dollars(plain: Made) -> None:
    new = lp.LM("openai/unheard-of", base_url="http://127.0.0.1:9/v1", api_key="none")
    old = model("old", never)
    with pytest.raises(ModelError, match="price of openai/unheard-of"):
        port(
            plain.path,
            new,
            tickets(100),
            metric=right_team,
            program=plain.program(old),
            budget=lp.Budget(dollars=1.0),
        )
    assert old.calls == 0


def test_what_the_artifacts_compile_has_paid_is_not_paid_again(made: Made) -> None:
    ported = port(
        made.path,
        old_model(),
        made.holdout,
        metric=right_team,
        program=made.program(),
        old="recorded",
        journal=made.run_dir,
        progress=QUIET,
    )
    # The certificate of the artifact asked the same of the same model.
    assert ported.outcome == "safe" and ported.paid.calls == 0
    assert ported.requested.calls == 80


def test_the_adapter_that_was_tested_is_the_one_that_ships(
    tmp_path: Path, scripted_endpoint: Callable[[lp.ScriptedLM], str]
) -> None:
    def new(request: Request) -> str:
        ticket = str(request.messages[-1].content)
        if "ticket" not in ticket or request.response_schema is None:
            return "no idea"
        return json.dumps({"team": team_of(ticket)})

    lp.save(lp.Predict(Triage, model=old_model()), tmp_path / "a.json")
    address = scripted_endpoint(lp.ScriptedLM(new, name="openai/json"))
    ported = port(
        tmp_path / "a.json",
        lp.LM("openai/json", base_url=address, api_key="none", cache=False),
        tickets(60),
        metric=right_team,
        program=lp.load(tmp_path / "a.json", [Triage], models={"scripted/old": old_model()}),
        optimizer=None,
        progress=QUIET,
    )
    assert ported.new is not None and ported.new.score is not None
    assert ported.new.score.mean == 1.0 and ported.outcome == "safe"
    assert ported.program.predictors()["predict"].adapter == "json"
    ported.save(tmp_path / "b.json")
    assert read_artifact(tmp_path / "b.json").data.models["openai/json"].takes_schema is True


def test_what_the_new_endpoint_refuses_is_reported(tmp_path: Path) -> None:
    program = lp.Predict(Triage, model=old_model(), sampling=lp.Sampling(temperature=0.5, seed=3))
    lp.save(program, tmp_path / "a.json")
    with refusing("temperature", "seed") as seen:
        ported = port(
            tmp_path / "a.json",
            lp.LM("sim/m", base_url=seen.base_url, cache=False),
            tickets(60),
            metric=right_team,
            program=lp.load(tmp_path / "a.json", [Triage], models={"scripted/old": old_model()}),
            optimizer=None,
            accept="best",
            progress=QUIET,
        )
    assert ported.refused == (
        "sim/m refuses seed (the program sets 3): it is called without",
        "sim/m refuses temperature (the program sets 0.5): it is called without",
    )
    ported.save(tmp_path / "b.json")
    data = json.loads((tmp_path / "b.json").read_text())
    assert data["models"]["sim/m"]["refused"] == ["seed", "temperature"]
    assert data["evidence"]["port"]["refused"] == list(ported.refused)
