"""Queries that a model writes read, and do nothing else."""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import CheckError, InputError
from langprog.lm import Request
from programs._queries import Tables
from programs.table_qa import TableQA, open_tables

duckdb = pytest.importorskip("duckdb")


SETUP = ("CREATE TABLE t(a INTEGER)", "INSERT INTO t VALUES (1), (2)", "CREATE SEQUENCE s")


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables(setup=SETUP, seconds=0.3)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("INSERT INTO t VALUES (3)", "INSERT statement"),
        ("UPDATE t SET a = 3", "UPDATE statement"),
        ("DELETE FROM t", "DELETE statement"),
        ("DROP TABLE t", "DROP statement"),
        ("CREATE TABLE u(a INTEGER)", "CREATE statement"),
        ("WITH new AS (INSERT INTO t VALUES (3) RETURNING a) SELECT * FROM new", "read-only"),
        ("SELECT nextval('s')", "read-only"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; DROP TABLE t", "2 statements"),
        ("", "0 statements"),
        ("ATTACH 'other.db'", "ATTACH statement"),
        ("COPY t TO 'out.csv'", "COPY statement"),
        ("EXPORT DATABASE 'out'", "EXPORT statement"),
        ("PRAGMA database_list", "PRAGMA statement"),
        ("SET threads = 8", "SET statement"),
        ("INSTALL httpfs", "LOAD statement"),
        ("CALL pragma_version()", "CALL statement"),
        ("BEGIN TRANSACTION", "TRANSACTION statement"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission Error"),
        ("SELECT * FROM read_text('/etc/passwd')", "Permission Error"),
        ("SELECT * FROM '/etc/passwd.csv'", "Permission Error|does not exist"),
        ("SELECT * FROM glob('/etc/*')", "Permission Error"),
        ("SELECT * FROM read_parquet('https://example.org/x.parquet')", "Permission Error"),
        ("SELECT * FROM query('DROP TABLE t')", "single SELECT"),
        ("SELECT count(*) FROM range(100000000000)", "took longer than 0.3 s"),
        ("SELECT list(range) FROM range(100000000)", "Out of Memory|took longer"),
        ("SELEC 1", "it cannot be read"),
        ("SELECT missing FROM t", "it failed: Binder Error"),
    ],
)
def test_what_does_more_than_read_is_refused(tables: Tables, sql: str, why: str) -> None:
    rows, problem = tables.query(sql)
    assert rows == "" and [part for part in why.split("|") if part in problem], problem
    # It has changed nothing, and the next query runs.
    assert tables.query("SELECT count(*) AS n FROM t") == ("n\n2", "")


def test_a_query_is_run_once_for_all_who_ask(tables: Tables) -> None:
    runs = tables.runs
    first = tables.query("SELECT a FROM t ORDER BY a")
    assert first == tables.query("SELECT a\n  FROM t ORDER BY a;") == ("a\n1\n2", "")
    assert tables.runs == runs + 1
    assert tables.query("SELECT 'a  b' AS x") == ("x\na  b", "")
    assert tables.query("SELECT 'a b' AS x") == ("x\na b", "")


def test_a_result_that_is_cut_says_so_and_a_huge_one_is_refused(tables: Tables) -> None:
    lines = tables.query("SELECT * FROM range(1000)")[0].splitlines()
    assert lines[tables.most :] == ["49", "(only the first 50 rows: there are more)"]
    whole = tables.query(f"SELECT * FROM range({tables.most})")[0].splitlines()
    assert whole[-1] == "49" and len(whole) == 1 + tables.most
    assert "more than 20000 characters" in tables.query("SELECT repeat('x', 30000)")[1]


def test_a_query_that_took_too_long_may_be_run_again(tables: Tables) -> None:
    slow, runs = "SELECT count(*) FROM range(100000000001)", tables.runs
    assert "took longer" in tables.query(slow)[1] and "took longer" in tables.query(slow)[1]
    assert tables.runs == runs + 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('a', 2000000000))",  # a single call, which nothing interrupts
        "SELECT list_sum(range(1000000000))",  # memory that duckdb's own limit does not count
        "SELECT repeat('zzz', 10000000) FROM range(50)",
    ],
)
def test_a_query_that_nothing_in_the_process_stops_is_stopped(tables: Tables, sql: str) -> None:
    began = time.monotonic()
    rows, problem = tables.query(sql)
    assert rows == "" and problem, problem
    assert time.monotonic() - began < 30  # it takes minutes and gigabytes in this process
    assert tables.query("SELECT count(*) AS n FROM t") == ("n\n2", "")


def test_the_process_ends_with_its_tables_and_a_killed_one_is_replaced() -> None:
    tables = Tables(setup=SETUP)
    process = tables._process
    assert process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    assert "ended the process" in tables.query("SELECT a FROM t")[1]
    assert tables.query("SELECT a FROM t LIMIT 1") == ("a\n1", "")
    assert tables.query("SELECT a FROM t") == ("a\n1\n2", "")
    process = tables._process
    assert process is not None and process._process.poll() is None
    running = process._process
    del tables, process
    gc.collect()
    assert running.poll() is not None


def test_a_query_that_is_refused_is_written_again() -> None:
    asked: list[str] = []

    def reply(request: Request) -> str:
        last = request.messages[-1].content
        asked.append(last)
        if "[[rows]]" in last:
            return f"[[answer]]\n{last.split('[[rows]]')[1].split()[-1]}"
        if "not accepted" in last:
            assert "DROP statement: only SELECT" in last
            return "[[sql]]\nSELECT count(*) AS orders FROM orders"
        assert "customers(id INTEGER" in last
        return "[[sql]]\nDROP TABLE orders"

    with lp.using(lm=lp.ScriptedLM(reply)):
        prediction = TableQA()(question="How many orders are there?")
    assert prediction.answer == "80" and prediction.usage.reasks == 1 and len(asked) == 3
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[sql]]\nDROP TABLE orders")):
        with pytest.raises(CheckError, match="only SELECT is allowed"):
            TableQA()(question="How many orders are there?")


def test_a_file_is_opened_read_only(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS a")
    opened = open_tables(str(path))
    assert opened.query("SELECT a FROM t") == ("a\n7", "")
    assert "Permission Error" in opened.query("SELECT * FROM read_blob('/etc/passwd')")[1]
    for absent in (str(tmp_path / "absent.duckdb"), str(tmp_path)):
        with pytest.raises(InputError, match="cannot be opened: IO Error"):
            open_tables(absent)
