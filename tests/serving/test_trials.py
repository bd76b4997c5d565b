"""An artifact on trial: which requests it gets, and what is compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError, InputError
from langprog.evaluation import exact, macro_f1
from langprog.serving import Trial, kept_answers
from langprog.serving.kept_answers import KeptAnswer, KeptAnswers
from tests.serving.running import Running, run, running, save


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("trials")
    return save(folder / "a.json", "Old."), save(folder / "b.json", "New.")


async def settled(it: Running, done: Callable[[], bool]) -> None:
    """Wait until what runs in the background has come to something."""
    while not done():
        await it.get("/healthz")


def ticket(text: str, number: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return a body, and headers with an id of its own."""
    return {"ticket": text}, {"x-request-id": f"r{number}"}


async def digests_of(it: Running, count: int) -> list[str]:
    digests = []
    for number in range(count):
        body = {"ticket": "down"}
        headers = {"x-request-id": f"user-{number}"}
        status, content = await it.post("/programs/triage", body, headers)
        assert status == 200
        digests.append(content["digest"])
    return digests


def test_a_share_of_the_requests_goes_to_the_canary_and_stays_there(
    artifacts: tuple[Path, Path],
) -> None:
    stable, canary = artifacts

    async def work() -> None:
        async with running(stable, trial=Trial(canary, 0.25)) as it:
            first = await digests_of(it, 40)
            assert first == await digests_of(it, 40)
            share = first.count(it.app.services["triage"].canary.digest) / 40
            assert 0.1 < share < 0.4
        async with running(stable, trial=Trial(canary, 0.5)) as it:
            larger = await digests_of(it, 40)
            new = it.app.services["triage"].canary.digest
            # Whoever had the new artifact keeps it when its share grows.
            pairs = zip(first, larger, strict=True)
            assert all(after == new for before, after in pairs if before == new)
            _, listed = await it.get("/programs")
            about = listed["programs"][0]["canary"]
            requests = [about["comparison"][arm]["requests"] for arm in ("stable", "canary")]
            assert sum(requests) == 40 and requests[1] == larger.count(new)
            assert about["digest"] == new and about["comparison"]["p_failures"] == 1.0
            text = (await it.get("/metrics"))[1]
            assert 'langprog_comparison{program="triage",figure="canary_requests"}' in text
            assert f'role="canary",digest="{new}"' in text

    run(work)


def test_without_an_id_the_inputs_decide(artifacts: tuple[Path, Path]) -> None:
    async def work() -> None:
        async with running(artifacts[0], trial=Trial(artifacts[1], 0.5)) as it:
            answered = set()
            for number in range(12):
                body = {"ticket": f"down {number}", "urgency": 2}
                turned = {"urgency": 2, "ticket": f"down {number}"}
                both = [(await it.post("/programs/triage", each))[1] for each in (body, turned)]
                assert both[0]["digest"] == both[1]["digest"]
                answered.add(both[0]["digest"])
            assert len(answered) == 2

    run(work)


def test_a_shadow_is_asked_compared_and_never_heard(artifacts: tuple[Path, Path]) -> None:
    async def work() -> None:
        trial = Trial(artifacts[1], shadow=1.0)
        async with running(artifacts[0], trial=trial) as it:
            stable = it.app.services["triage"].stable.digest
            for ticket in ("down", "a charge", "unreadable", "outage"):
                status, content = await it.post("/programs/triage", {"ticket": ticket})
                assert status == 502 or content["digest"] == stable
            comparison = it.app.services["triage"].comparison
            await settled(it, lambda: comparison.totals["canary"].requests == 3)
            figures = (await it.get("/programs"))[1]["programs"][0]["canary"]["comparison"]
            agreement = figures["agreement"]
            assert (agreement["pairs"], agreement["share"]) == (2, 1.0)
            assert agreement["interval"] == [0.0, 1.0]  # two pairs say nothing yet
            assert figures["quality"] is None  # nobody has said what was right
            # The outage says nothing about either of them.
            assert [figures[arm]["requests"] for arm in ("stable", "canary")] == [3, 3]
            assert [figures[arm]["failures"] for arm in ("stable", "canary")] == [1, 1]
            # A shadow that hangs holds nobody up, and ends with the server.
            it.model.open.set()
            assert (await it.post("/programs/triage", {"ticket": "wait"}))[0] == 200

    run(work)


def test_two_artifacts_of_different_interfaces_are_not_compared(
    artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    other = save(tmp_path / "o.json", program=lp.Predict("ticket -> team", model="test/model"))

    async def work() -> None:
        with pytest.raises(ArtifactError, match="takes or returns something else"):
            async with running(artifacts[0], trial=Trial(other, 0.5)):
                raise AssertionError

    run(work)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--canary: the share"),
        ({"shadow": 2.0}, "--shadow: the share"),
        ({"share": 0.1, "judge": exact()}, "--judge scores two answers"),
        ({"share": 0.1, "metric": macro_f1("team")}, "scores a whole data set"),
    ],
)
def test_a_trial_that_compares_nothing_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Trial(Path("b.json"), **options)


LABEL = {"team": "billing", "words": ["down", "now"]}


def test_labels_that_come_later_score_both_answers_to_a_request(tmp_path: Path) -> None:
    # The canary has the model answer otherwise where a ticket is about a charge.
    stable, canary = save(tmp_path / "a.json", "Old."), save(tmp_path / "b.json", "Refunds.")

    async def work() -> None:
        trial = Trial(canary, share=0.5, shadow=1.0, metric=exact("team"))
        async with running(stable, trial=trial) as it:
            service = it.app.services["triage"]
            for number in range(24):
                assert (await it.post("/programs/triage", *ticket("refund", number)))[0] == 200
            await settled(it, lambda: service.comparison.agreement.n == 24)
            answered = service.comparison.totals
            assert answered["stable"].requests == answered["canary"].requests == 24
            for number in range(24):
                feedback = {"request_id": f"r{number}", "expected": LABEL}
                status, said = await it.post("/programs/triage/feedback", feedback)
                assert (status, said) == (200, {"request_id": f"r{number}", "scored": True})
            figures = (await it.get("/programs"))[1]["programs"][0]["canary"]["comparison"]
            quality = figures["quality"]
            assert (quality["pairs"], quality["stable"], quality["canary"]) == (24, 0.0, 1.0)
            low, high = quality["interval"]
            assert 0 < low < quality["difference"] == high == 1.0
            assert figures["agreement"]["share"] == 0.0
            text = (await it.get("/metrics"))[1]
            assert 'figure="quality_difference"} 1\n' in text
            assert 'figure="quality_difference_low"}' in text
            # Each answer takes one label, and a swap begins anew.
            status, said = await it.post("/programs/triage/feedback", feedback)
            assert (status, said["error"]["type"]) == (404, "unknown_request")
            save(canary, "Newer.")
            await it.app.reload()
            assert "quality_difference" not in (await it.get("/metrics"))[1]

    run(work)


def test_a_label_may_come_before_the_other_artifact_has_answered(
    artifacts: tuple[Path, Path],
) -> None:
    async def work() -> None:
        async with running(artifacts[0], trial=Trial(artifacts[1], shadow=1.0)) as it:
            hold = it.model.hold_up("New.")
            body, headers = ticket("a charge", 1)
            assert (await it.post("/programs/triage", body, headers))[0] == 200
            feedback = {"request_id": "r1", "expected": {"team": "network", "words": []}}
            status, said = await it.post("/programs/triage/feedback", feedback)
            assert (status, said["scored"]) == (200, False)
            hold.set()
            comparison = it.app.services["triage"].comparison
            await settled(it, lambda: comparison.difference.n == 1)
            assert comparison.quality["stable"].mean == 0.0

    run(work)


def test_scores_of_users_compare_the_two_parts_of_a_split(artifacts: tuple[Path, Path]) -> None:
    async def work() -> None:
        async with running(artifacts[0], trial=Trial(artifacts[1], share=0.5)) as it:
            service = it.app.services["triage"]
            rows = [{"ticket": f"down {number}"} for number in range(30)]
            status, content = await it.post("/programs/triage/batch", rows)
            assert (status, content["failed"]) == (200, 0)
            new = service.canary.digest
            for row in content["results"]:
                score = 0.75 if row["digest"] == new else 0.25
                feedback = {"request_id": row["request_id"], "row": row["row"], "score": score}
                assert (await it.post("/programs/triage/feedback", feedback))[0] == 200
            figures = (await it.get("/programs"))[1]["programs"][0]["canary"]["comparison"]
            smaller = min(sum(r["digest"] == new for r in content["results"]), 15)
            assert figures["quality"]["difference"] == 0.5
            assert 0 < figures["quality"]["pairs"] <= smaller
            for wrong, said in (
                ({"score": 2}, "a number from 0 to 1"),
                ({"expected": {"team": "cooks"}}, "team"),
                ({"expected": {"ticket": "x"}}, "is an input"),
                ({"expected": {"note": "good"}}, "cannot score"),
                ({"score": 1, "expected": LABEL}, "either"),
                ({"score": 1, "row": -1}, "number of the row"),
            ):
                given = {"request_id": "r1", **wrong}
                if "score" in said:
                    await it.post("/programs/triage", *ticket("down", 1))
                status, content = await it.post("/programs/triage/feedback", given)
                assert status == 422 and said in content["error"]["message"], content

    run(work)


def test_a_judge_scores_at_once_and_its_bugs_are_told_to_the_log(
    artifacts: tuple[Path, Path],
) -> None:
    def shorter(example: lp.Example, prediction: lp.Prediction) -> float:
        if "broken" in example.ticket:
            raise ZeroDivisionError("secret detail")
        return 1.0 / (1 + len(prediction.words))

    async def work() -> None:
        trial = Trial(artifacts[1], shadow=1.0, judge=shorter)
        async with running(artifacts[0], trial=trial) as it:
            comparison = it.app.services["triage"].comparison
            for text in ("down", "unreadable", "broken"):
                await it.post("/programs/triage", {"ticket": text})
            counted = "langprog_unscored_total"
            await settled(
                it,
                lambda: comparison.difference.n == 2 and it.app.metrics.value(counted) == 1,
            )
            # What the program failed has the worst score.
            assert comparison.quality["stable"].mean == pytest.approx(1 / 6)
            assert any("not scored" in line for line in it.log)
            feedback = {"request_id": "r1", "expected": LABEL}
            status, said = await it.post("/programs/triage/feedback", feedback)
            assert (status, said["error"]["type"]) == (409, "not_used")

    run(work)


def test_a_label_is_not_lost_with_the_client_that_sent_it(artifacts: tuple[Path, Path]) -> None:
    async def work() -> None:
        asked, gate = asyncio.Event(), asyncio.Event()

        async def slow(example: lp.Example, prediction: lp.Prediction) -> float:
            asked.set()
            await gate.wait()
            return 1.0

        trial = Trial(artifacts[1], shadow=1.0, metric=slow)
        async with running(artifacts[0], trial=trial) as it:
            comparison = it.app.services["triage"].comparison
            await it.post("/programs/triage", *ticket("down", 1))
            await settled(it, lambda: comparison.agreement.n == 1)
            feedback = {"request_id": "r1", "expected": LABEL}
            sending = asyncio.create_task(it.post("/programs/triage/feedback", feedback))
            await asked.wait()
            sending.cancel()
            await settled(it, lambda: comparison.answers.get(("r1", None)) is not None)
            gate.set()
            status, said = await it.post("/programs/triage/feedback", feedback)
            assert (status, said["scored"], comparison.difference.n) == (200, True, 1)

    run(work)


def test_without_a_trial_there_is_nothing_to_say(artifacts: tuple[Path, Path]) -> None:
    async def work() -> None:
        async with running(artifacts[0]) as it:
            feedback = {"request_id": "r1", "expected": LABEL}
            status, said = await it.post("/programs/triage/feedback", feedback)
            assert status == 404 and "no artifact is on trial" in said["error"]["message"]
            assert "/programs/triage/feedback" not in (await it.get("/openapi.json"))[1]["paths"]

    run(work)


def test_only_the_latest_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "MOST", 2)
    kept = KeptAnswers()
    for number in range(3):
        kept.keep((f"r{number}", None), KeptAnswer({}, 10, 0))
    assert kept.get(("r0", None)) is None and kept.get(("r2", None)) is not None
    kept.keep(("large", None), KeptAnswer({}, kept_answers.LARGEST + 1, 0))
    assert kept.get(("large", None)) is None and kept.take(("r2", None)) is None
