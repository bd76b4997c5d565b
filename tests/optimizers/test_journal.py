from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog import Completion
from langprog.errors import InputError
from langprog.evaluation import Objective
from langprog.lm import Priced, Recorded, Usage
from optimizers import LabeledFewShot
from optimizers.journal import FILE, Journal
from optimizers.journal.file import decode_line, encode_line
from optimizers.stats.certificate import Certificate
from tests.optimizers.simulated import one_module, right_team, tickets

COMPILE = {"program": "abc", "seed": "0"}


def completion(text: str, *, cached: bool = False) -> Completion:
    return Completion((text,), "scripted/lm", Usage(3, 2), dollars=0.5, cached=cached)


def test_completions_come_back_after_reopening(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    journal.put("k1", completion("one"))
    journal.put("k2", completion("two", cached=True))
    journal.close()
    again = Journal(tmp_path, COMPILE)
    found = again.get("k1")
    assert found is not None and found.text == "one" and found.cached
    assert again.get("k3") is None
    assert again.earlier.sessions == 1
    assert again.earlier.paid.calls == 1  # k2 came out of a cache, so nobody paid
    assert again.earlier.paid.tokens == 5
    again.close()


def test_a_torn_last_line_is_dropped_and_the_file_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    journal.put("k1", completion("one"))
    journal.close()
    path = tmp_path / FILE
    with path.open("ab") as file:
        file.write(b'{"kind":"call","key":"k2","comp')
    again = Journal(tmp_path, COMPILE)
    assert again.get("k1") is not None and again.get("k2") is None
    again.put("k2", completion("two"))
    again.close()
    lines = path.read_bytes().splitlines()
    assert all(json.loads(line) for line in lines)


def test_every_line_is_json_with_a_checksum(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    journal.put("k1", completion('\u2028 ünï \\ "quoted" ,"crc":"00000000"}'))
    journal.close()
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    assert all(json.loads(line)["crc"] for line in lines)
    assert all(decode_line(line) is not None for line in lines)
    again = Journal(tmp_path, COMPILE)
    assert again.get("k1") is not None and again.damaged == 0
    again.close()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_changed_byte_is_seen(data: st.DataObject) -> None:
    line = encode_line({"kind": "call", "key": "k", "completion": {"texts": ["one"]}})
    place = data.draw(st.integers(0, len(line) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != line[place]))
    assert decode_line(line[:place] + bytes([byte]) + line[place + 1 :]) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: b"nonsense\n",
        lambda line: b"\n",
        lambda line: b"\0" * len(line) + b"\n",
        lambda line: line.replace(b"two", b"TWO"),
        lambda line: line[:40] + b"\n",
        lambda line: encode_line({"kind": "call", "key": "k2"}),
        lambda line: encode_line({"kind": "call", "key": [], "completion": 3, "paid": 1, "at": 0}),
        lambda line: b"[" * 100_000 + b"]" * 100_000 + b"\n",
    ],
)
def test_a_damaged_line_costs_what_it_held_and_no_more(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    journal = Journal(tmp_path, COMPILE)
    for key, text in (("k1", "one"), ("k2", "two"), ("k3", "three")):
        journal.put(key, completion(text))
    journal.close()
    path = tmp_path / FILE
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if b"two" in line)
    lines[place] = damage(lines[place])
    path.write_bytes(b"".join(lines))
    again = Journal(tmp_path, COMPILE)
    assert again.get("k2") is None and again.damaged == 1
    assert again.get("k1") is not None and again.get("k3") is not None
    # It may have been a call, so a cap in calls counts it.
    assert again.earlier.paid.calls == 3
    again.put("k2", completion("two"))
    again.close()
    third = Journal(tmp_path, COMPILE)
    assert third.get("k2") is not None
    third.close()


def test_a_damaged_first_line_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path, COMPILE).close()
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes().replace(b"header", b"reader"))
    with pytest.raises(InputError, match="or a damaged one"):
        Journal(tmp_path, COMPILE)


@pytest.mark.parametrize("part", ["metric", "optimizer"])
def test_completions_stay_usable_under_another_metric_or_other_knobs(
    tmp_path: Path, part: str
) -> None:
    journal = Journal(tmp_path, {**COMPILE, part: "first"})
    journal.put("k1", completion("one"))
    journal.record_decision("trial", {"mean": 0.5})
    journal.close()
    again = Journal(tmp_path, {**COMPILE, part: "second"})
    assert again.get("k1") is not None
    again.record_decision("trial", {"mean": 0.7})
    # It decides anew; that is no divergence of a resumed run.
    assert again.diverged_at is None
    again.close()
    third = Journal(tmp_path, {**COMPILE, part: "second"})
    third.record_decision("trial", {"mean": 0.8})
    assert third.diverged_at == 0
    third.close()


def test_a_different_compile_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    Journal(tmp_path, COMPILE).close()
    with pytest.raises(InputError, match=r"differs in seed \(0 there, 1 here\)"):
        Journal(tmp_path, {**COMPILE, "seed": "1"})


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    with pytest.raises(InputError, match="in use by another compile"):
        Journal(tmp_path, COMPILE)
    journal.close()
    Journal(tmp_path, COMPILE).close()


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Journal(tmp_path / "file" / "run", COMPILE)


def test_a_full_disk_stops_the_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, COMPILE)

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(InputError, match="No space left"):
            journal.put("k1", completion("one"))
    journal.close()


def test_decisions_of_a_resumed_run_are_not_repeated(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    journal.record_decision("trial", {"mean": 0.5, "point": (1, 2)})
    journal.close()
    again = Journal(tmp_path, COMPILE)
    again.record_decision("trial", {"mean": 0.5, "point": (1, 2)})
    again.record_decision("trial", {"mean": 0.75, "point": (0, 2)})
    again.close()
    assert again.diverged_at is None
    kinds = [json.loads(line)["kind"] for line in (tmp_path / FILE).read_text().splitlines()]
    assert kinds.count("decision") == 2


def test_another_turn_of_a_resumed_run_is_noticed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    journal.record_decision("trial", {"mean": 0.5})
    journal.record_decision("trial", {"mean": 0.6})
    journal.close()
    again = Journal(tmp_path, COMPILE)
    again.record_decision("trial", {"mean": 0.5})
    again.record_decision("trial", {"mean": 0.7})
    again.close()
    assert again.diverged_at == 1
    third = Journal(tmp_path, COMPILE)
    third.record_decision("trial", {"mean": 0.5})
    third.record_decision("trial", {"mean": 0.7})
    third.close()
    assert third.diverged_at is None


def test_without_a_folder_everything_stays_in_memory() -> None:
    journal = Journal(None, COMPILE)
    journal.put("k1", completion("one"))
    journal.record_decision("trial", {"mean": 1.0})
    assert journal.get("k1") is not None and len(journal.decisions) == 1
    journal.close()


def test_the_meter_counts_every_request_once_whoever_answers(tmp_path: Path) -> None:
    journal = Journal(tmp_path, COMPILE)
    journal.put("k1", completion("one"))
    journal.get("k1")
    journal.put("k2", completion("two", cached=True))
    first = journal.meter.read()
    journal.close()
    again = Journal(tmp_path, COMPILE)
    assert again.meter.read().calls == 0
    again.get("k2")
    again.get("k1")
    assert again.meter.read() == first
    again.close()


@pytest.mark.parametrize("earlier", [1, 99, None])
def test_a_journal_of_another_format_is_refused_in_one_sentence(
    tmp_path: Path, earlier: object
) -> None:
    Journal(tmp_path, {"program": "p"}).close()
    lines = (tmp_path / FILE).read_text().splitlines()
    header = {**json.loads(lines[0]), "format": earlier}
    header.pop("crc")
    rest = "".join(f"{line}\n" for line in lines[1:]).encode()
    (tmp_path / FILE).write_bytes(encode_line(header) + rest)
    with pytest.raises(InputError, match="journal of another format, .* choose another run_dir"):
        Journal(tmp_path, {"program": "p"})


class Endpoint:
    """A model whose speed and price change overnight; longer prompts are slower and dearer."""

    def __init__(self) -> None:
        self.seconds = self.dollars = 2.0

    def reply(self, request: lp.Request) -> Completion:
        demos = sum(message.role == "assistant" for message in request.messages)
        more = 1 + 0.01 * demos
        return Completion(
            ("[[team]]\nbilling",),
            "scripted/lm",
            Usage(9, 9),
            dollars=self.dollars * more,
            latency=self.seconds * more,
        )


@pytest.mark.parametrize("objective", ["cost", "latency"])
def test_what_an_earlier_session_measured_is_not_compared_with_this_one(
    tmp_path: Path, objective: Objective
) -> None:
    endpoint = Endpoint()

    def compile_with(demos: int, **knobs: Any) -> Certificate:
        with lp.using(lm=lp.ScriptedLM(endpoint.reply)):
            return (
                LabeledFewShot(k=demos, **knobs)
                .compile(
                    one_module(),
                    tickets(20),
                    valset=tickets(10, 100),
                    holdout=tickets(100, 200),
                    metric=right_team,
                    run_dir=tmp_path / "run",
                )
                .certificate
            )

    compile_with(8)
    endpoint.seconds = endpoint.dollars = 1.0
    found = compile_with(4, objective=objective, tolerance=0.2)
    assert found.verdict == "original"
    assert "another session of the same run_dir" in found.reason
    assert compile_with(4, objective=objective, tolerance=0.2) == found


def test_a_remembered_call_has_todays_price(tmp_path: Path) -> None:
    request = lp.Request((lp.Message("user", "hi"),))

    def ask_at(price: float) -> Completion:
        model = Priced(lp.ScriptedLM(lambda request: "a b"), lp.Price(input=price, output=price))
        journal = Journal(tmp_path, {"compile": "this"})
        try:
            return asyncio.run(Recorded(model, journal).complete(request))
        finally:
            journal.close()

    first, second = ask_at(1.0), ask_at(10.0)
    assert second.cached and second.dollars == pytest.approx(10 * (first.dollars or 0.0))
    assert (second.timed_in, second.priced_in) == ("session 1", "")
