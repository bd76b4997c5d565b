"""Work on Ray workers is what it is in this process, also where a worker is killed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.batch import Batch, BatchDone, run_batch
from langprog.cli.main import run
from langprog.engines import Engine, LocalEngine, engine_named
from langprog.errors import AuthError, BudgetExceeded, InputError
from langprog.lm import Cost, Ledger, Recorded, Server
from langprog.runtime import current, give_notice, run_sync
from optimizers import BootstrapRandomSearch, Compiled
from optimizers.journal import Journal
from tests.batch.running import question_in
from tests.optimizers.simulated import Triage, answers, tickets

# Importing Ray takes long and changes how the process logs: not while tests are collected.
pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install 'langprog[ray]'"
)


class Endpoint:
    """A model behind HTTP on loopback, which counts what it is asked."""

    def __init__(self) -> None:
        self.reply: Callable[[lp.Request], Any] = lambda request: (
            f"[[answer]]\nre: {question_in(request)}"
        )
        self.asked: Counter[str] = Counter()
        # Called before the reply to a request with its number.
        self.before: Callable[[int], None] = lambda number: None
        self.server = Server({"sim/m": lp.ScriptedLM(self._answer, name="sim/m")})
        self.base_url = ""

    def _answer(self, request: lp.Request) -> Any:
        self.asked[f"{request.messages}{request.sampling}"] += 1
        self.before(self.asked.total())
        return self.reply(request)

    def begin(self) -> lp.lm.LanguageModel:
        """Forget what was asked; return a new client."""
        self.asked.clear()
        self.before = lambda number: None
        return lp.LM("sim/m", base_url=self.base_url, cache=False)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    served = Endpoint()
    run_sync(served.server.__aenter__())
    served.base_url = served.server.base_url
    yield served
    run_sync(served.server.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def ray_engine() -> Iterator[Engine]:
    records = logging.getLogRecordFactory()
    engine = lp.RayEngine(workers=3)

    async def start() -> None:
        engine._connect()
        engine._count = 2  # the third place is for a worker of the command line
        await engine.__aenter__()

    run_sync(start())
    yield engine
    run_sync(engine.__aexit__())
    logging.setLogRecordFactory(records)  # Ray sets its own, for the whole process


@pytest.fixture(scope="module", params=["local", "ray"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "local":
        return LocalEngine()
    engine: Engine = request.getfixturevalue("ray_engine")
    return engine


def worker_processes() -> list[int]:
    """Return the processes of the workers."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"ray::Worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def kill_a_worker() -> None:
    os.kill(worker_processes()[0], signal.SIGKILL)


def in_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await work()

    return run_sync(run())


# --- the contract of engines ---------------------------------------------------------------------


def test_a_program_gives_what_it_gives_here_under_the_settings_in_force(
    engine: Engine, endpoint: Endpoint
) -> None:
    lm = endpoint.begin()

    async def work() -> list[str]:
        async def answer(program: lp.Module, question: str) -> str:
            answer = (await program.acall(question=question)).answer
            return f"{answer} {current().sampling.temperature}"

        program = lp.Predict("question -> answer", adapter="chat")
        with (
            lp.using(lm=lm, sampling=lp.Sampling(temperature=0.5)),
            engine.sharing(program) as shared,
        ):
            pieces = [engine.run(answer, shared, f"q{number}") for number in range(6)]
            return await asyncio.gather(*pieces)

    assert in_loop(work) == [f"re: q{number} 0.5" for number in range(6)]
    assert sorted(endpoint.asked.values()) == [1] * 6


def test_all_calls_are_under_one_budget_and_in_one_journal(
    engine: Engine, endpoint: Endpoint
) -> None:
    lm = endpoint.begin()
    journal, ledger = Journal(None, {}), Ledger(lp.Budget(calls=3))

    async def work() -> list[Any]:
        async def answer(program: lp.Module, question: str) -> str:
            return str((await program.acall(question=question)).answer)

        program = lp.Predict("question -> answer", adapter="chat")
        recorded: dict[int, Recorded] = {}

        def wrap(model: Any) -> Any:
            return recorded.setdefault(id(model), Recorded(model, journal))

        with (
            lp.using(lm=lm, budget=ledger, wrap=wrap),
            engine.sharing(program) as shared,
        ):
            # The same question at the same time from two workers is one call.
            same = await asyncio.gather(*(engine.run(answer, shared, "same") for _ in range(6)))
            rest = [engine.run(answer, shared, f"q{number}") for number in range(5)]
            return [*same, *await asyncio.gather(*rest, return_exceptions=True)]

    results = in_loop(work)
    assert results[:6] == ["re: same"] * 6
    refused = [result for result in results if isinstance(result, BudgetExceeded)]
    assert len(refused) == 3 and "3 calls" in str(refused[0])
    assert endpoint.asked.total() == 3 == ledger.paid.calls == journal.meter.read().calls
    assert ledger.reserved == Cost()


def test_errors_keep_their_type_and_notices_arrive(engine: Engine, endpoint: Endpoint) -> None:
    lm = endpoint.begin()
    endpoint.reply, reply = (lambda request: AuthError("wrong key", model="m")), endpoint.reply
    told: list[str] = []

    async def work() -> None:
        async def answer(program: lp.Module) -> None:
            give_notice("look here")
            await program.acall(question="x")

        with (
            lp.using(lm=lm, notice=told.append),
            engine.sharing(lp.Predict("question -> answer")) as shared,
        ):
            await engine.run(answer, shared)

    try:
        with pytest.raises(AuthError, match="wrong key"):
            in_loop(work)
    finally:
        endpoint.reply = reply
    assert told == ["look here"]


def test_what_nobody_waits_for_any_more_stops(engine: Engine, endpoint: Endpoint) -> None:
    lm = endpoint.begin()
    ledger = Ledger()
    asked = asyncio.Event()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        endpoint.before = lambda number: loop.call_soon_threadsafe(asked.set)

        async def answer(program: lp.Module) -> None:
            await program.acall(question="first")
            await program.acall(question="second")

        with (
            lp.using(lm=lm, budget=ledger),
            engine.sharing(lp.Predict("question -> answer", adapter="chat")) as shared,
        ):
            running = asyncio.create_task(engine.run(answer, shared))
            await asked.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert running.cancelled()
            while ledger.reserved.calls:
                await asyncio.sleep(0)

    in_loop(work)
    assert endpoint.asked.total() <= 2 and ledger.paid.calls <= 2


# --- a batch -------------------------------------------------------------------------------------


def run_rows(
    folder: Path, lm: Any, engine: Engine, name: str, told: list[str]
) -> tuple[BatchDone, bytes]:
    source, target = folder / "in.jsonl", folder / f"{name}.jsonl"
    source.write_text("".join(json.dumps({"question": f"q{n % 50}"}) + "\n" for n in range(60)))
    program = lp.Predict("question -> answer", adapter="chat", model=lm)
    batch = Batch(program, source, target, "run", order="input", engine=engine, width=8)
    with lp.using(notice=told.append):
        return run_sync(run_batch(batch)), target.read_bytes()


def test_a_batch_writes_the_same_file_also_where_a_worker_is_killed(
    tmp_path: Path, ray_engine: Engine, endpoint: Endpoint
) -> None:
    told: list[str] = []
    done, here = run_rows(tmp_path, endpoint.begin(), LocalEngine(), "local", told)
    assert done.written == 60 and endpoint.asked.total() == 50
    done, there = run_rows(tmp_path, endpoint.begin(), ray_engine, "ray", told)
    assert done.written == 60 and there == here and endpoint.asked.total() == 50
    lm, before = endpoint.begin(), worker_processes()
    endpoint.before = lambda number: kill_a_worker() if number == 20 else None
    done, there = run_rows(tmp_path, lm, ray_engine, "killed", told)
    assert (done.written, done.failed) == (60, 0) and there == here
    # At most the calls in flight are made again.
    assert 50 <= endpoint.asked.total() <= 58 and worker_processes() != before
    assert told == ["a Ray worker died: its work begins anew on another one"]


# --- a compile -----------------------------------------------------------------------------------


def compile_triage(lm: Any, engine: Engine | str, run_dir: Path | None = None) -> Compiled:
    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        return bool(example.team == prediction.team)

    with lp.using(lm=lm):
        return BootstrapRandomSearch(concurrency=16, sets=3).compile(
            lp.Predict(Triage),
            tickets(40),
            metric=metric,
            budget=lp.Budget(calls=400),
            engine=engine,
            run_dir=run_dir,
        )


def test_a_compile_takes_the_same_decisions_and_pays_for_nothing_twice(
    tmp_path: Path, ray_engine: Engine, endpoint: Endpoint
) -> None:
    reply, endpoint.reply = endpoint.reply, answers()
    try:
        here = compile_triage(endpoint.begin(), "local")
        calls = endpoint.asked.total()
        assert calls == here.report.paid.calls
        lm = endpoint.begin()
        endpoint.before = lambda number: kill_a_worker() if number == calls // 2 else None
        there = compile_triage(lm, ray_engine, tmp_path / "run")
    finally:
        endpoint.reply = reply
    assert there.report.decisions == here.report.decisions
    assert there.candidate == here.candidate
    assert str(there.certificate) == str(here.certificate)
    again = endpoint.asked.total() - calls
    assert 0 <= again <= 16 and there.report.paid.calls >= endpoint.asked.total()
    assert there.report.requested == here.report.requested
    # The journal, written by this process alone, has every call that was answered.
    lm = endpoint.begin()
    resumed = compile_triage(lm, "local", tmp_path / "run")
    assert resumed.report.decisions == here.report.decisions and not endpoint.asked


# --- the command line ----------------------------------------------------------------------------


PROGRAM = """
from typing import Literal

import langprog as lp


class Triage(lp.Signature):
    team: Literal["billing", "network", "accounts"] = lp.Output()
    ticket: str = lp.Input()


program = lp.Predict(Triage, adapter="chat")


def metric(example, prediction):
    return example.team == prediction.team
"""


def test_the_command_line_compiles_and_runs_on_ray(
    tmp_path: Path,
    ray_engine: Engine,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint.begin()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    monkeypatch.setenv("SIM_API_KEY", "none")
    Path("own.py").write_text(PROGRAM)
    rows = [{"ticket": row.ticket, "team": row.team} for row in tickets(40)]
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = ["--base-url", endpoint.base_url]
    on_ray = ["--engine", "ray", "--workers", "1"]
    compiling = ["compile", "own.py:program", "--train", "train.jsonl", "--lm", "sim/m"]
    options = ["--metric", "own.py:metric", "--optimizer", "bootstrap", "--calls", "200"]
    running = ["run", "team.json", "--batch", "train.jsonl", "--order", "input"]
    reply, endpoint.reply = endpoint.reply, answers()
    try:
        for engine, name in ((on_ray, "ray"), ([], "here")):
            out = ["--run-dir", name, "--out", f"{name}.json"]
            assert run([*compiling, *options, *model, *out, *engine]) == 0, capsys.readouterr()
            Path(f"{name}.json").replace("team.json")
            Path(f"{name}.artifact").write_bytes(Path("team.json").read_bytes())
            out = ["--out", f"{name}.jsonl"]
            assert run([*running, *model, *out, *engine]) == 0, capsys.readouterr()
    finally:
        endpoint.reply = reply
    assert Path("ray.jsonl").read_bytes() == Path("here.jsonl").read_bytes()
    assert len(Path("ray.jsonl").read_text().splitlines()) == 40
    compiled = [lp.load(f"{name}.artifact").parameters() for name in ("ray", "here")]
    assert compiled[0] == compiled[1]


# --- what cannot be done -------------------------------------------------------------------------


def test_what_cannot_be_sent_is_refused_before_anything_is_paid(
    ray_engine: Engine, endpoint: Endpoint
) -> None:
    lm, lock = endpoint.begin(), threading.Lock()

    def locked_metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        with lock:
            return True

    with (
        lp.using(lm=lm),
        pytest.raises(InputError, match=r"locked_metric cannot be sent .*cannot pickle"),
    ):
        BootstrapRandomSearch().compile(
            lp.Predict(Triage), tickets(40), metric=locked_metric, engine=ray_engine
        )
    assert not endpoint.asked


@pytest.mark.parametrize("failures", [2, 3])
def test_a_start_that_takes_too_long_is_begun_again(failures: int) -> None:
    class Busy:
        """Ray as it is on a busy machine."""

        starts = ends = 0

        def is_initialized(self) -> bool:
            return False

        def init(self, *address: str, **options: Any) -> None:
            self.starts += 1
            if self.starts <= failures:
                raise RuntimeError("The current node timed out during startup.")
            raise PermissionError("a cluster of somebody else")  # an error of another kind

        def shutdown(self) -> None:
            self.ends += 1

    engine, busy, told = lp.RayEngine(workers=1), Busy(), list[str]()
    engine._ray = busy
    said = "3 times: The current node" if failures == 3 else "3 times: a cluster of somebody"
    with lp.using(notice=told.append), pytest.raises(InputError, match=said):
        run_sync(engine.__aenter__())
    assert busy.starts == busy.ends == 3
    assert [line[-8:] for line in told] == ["(2 of 3)", "(3 of 3)"]


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'langprog\[ray\]'"):
        engine_named("ray")
    with pytest.raises(InputError, match="'local', 'ray' or an engine"):
        engine_named("spark")
