"""An artifact on trial: which requests it gets, and what is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import ArtifactError, InputError
from langprog.serving import Trial
from tests.serving.running import Running, run, running, save


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("trials")
    return save(folder / "a.json", "Old."), save(folder / "b.json", "New.")


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
        trial = Trial(artifacts[1], 1.0, shadow=True)
        async with running(artifacts[0], trial=trial) as it:
            stable = it.app.services["triage"].stable.digest
            for ticket in ("down", "a charge", "unreadable", "outage"):
                status, content = await it.post("/programs/triage", {"ticket": ticket})
                assert status == 502 or content["digest"] == stable
            comparison = it.app.services["triage"].comparison
            while comparison.totals["canary"].requests < 3:
                await it.get("/healthz")
            figures = (await it.get("/programs"))[1]["programs"][0]["canary"]["comparison"]
            assert figures["same_outputs"] == 2 and figures["different_outputs"] == 0
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
    with pytest.raises(InputError, match="--canary: the share"):
        Trial(other, 0.0)
