"""Answer questions about tables: write a query, run it read-only, and answer from its rows.

Follows: Text2SQL is Not Enough: Unifying AI and Databases with TAG (Biswal et al., 2024): query
synthesis, execution, answer generation; and, for probes that are shared, Supporting Our AI
Overlords: Redesigning Data Systems to be Agent-First (Liu et al., 2025). Differs: a query that
fails or is refused goes back to the model with the reason; it runs in a read-only transaction of
duckdb without access to files, network and settings, within limits of time, memory and rows; a
query that was run before, for whichever question, is not run again. The shop is generated.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import langprog as lp
from langprog.errors import InputError

NEEDS = ("sql",)

CITIES = ("Lisbon", "Oslo", "Riga", "Turin")
PRODUCTS = ("lamp", "chair", "desk", "clock")
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")
SCHEMA = """customers(id INTEGER, name VARCHAR, city VARCHAR)
orders(id INTEGER, customer INTEGER, product VARCHAR, price INTEGER), customer is customers.id"""


class WriteQuery(lp.Signature):
    """Write one SELECT statement for duckdb whose rows answer the question."""

    question: str = lp.Input()
    tables: str = lp.Input("the tables with their columns")
    sql: str = lp.Output("one SELECT statement")


class Answer(lp.Signature):
    """Answer the question from the rows of the query, in as few words as possible."""

    question: str = lp.Input()
    rows: str = lp.Input("the result, a line a row")
    answer: str = lp.Output()


@dataclass
class Tables:
    """Tables that are queried and not changed.

    Args:
        connection: A connection of duckdb, which is locked down by this.
        seconds: How long a query may take.
        most: Rows of a result that are read; the text says so where there are more.
        length: Characters that the text of a result may have.
    """

    connection: Any
    seconds: float = 5.0
    most: int = 50
    length: int = 20_000
    runs: int = 0
    _known: dict[str, tuple[str, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def query(self, sql: str) -> tuple[str, str]:
        """Return the rows of a query as text, and what is wrong with it; one of them is empty.

        Args:
            sql: The query; one that was run before is not run again.
        """
        key = _normalize(sql)
        with self._lock:
            if key in self._known:
                return self._known[key]
            problem = self._refuse(sql)
            try:
                result = ("", problem) if problem else self._run(sql)
            except TimeoutError:  # is not kept: on a machine less busy it may end
                return "", f"it took longer than {self.seconds:g} s: ask for less"
            self._known[key] = result
            return result

    def _refuse(self, sql: str) -> str:
        duckdb = _import_duckdb()
        try:
            statements = self.connection.extract_statements(sql)
        except duckdb.Error as error:
            return f"it cannot be read: {_first_line(error)}"
        if len(statements) != 1:
            return f"it has {len(statements)} statements: write one"
        kind = statements[0].type
        if kind != duckdb.StatementType.SELECT:
            return f"it is a {kind.name} statement: only SELECT is allowed"
        return ""

    def _run(self, sql: str) -> tuple[str, str]:
        duckdb = _import_duckdb()
        self.runs += 1
        cursor = self.connection.cursor()
        limit = threading.Timer(self.seconds, cursor.interrupt)
        # Some statements that count as SELECT write, such as a WITH around an INSERT.
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        limit.start()
        try:
            rows = cursor.execute(sql).fetchmany(self.most + 1)
            names = [column[0] for column in cursor.description]
        except duckdb.InterruptException:
            raise TimeoutError from None
        except duckdb.Error as error:
            return "", f"it failed: {_first_line(error)}"
        finally:
            limit.cancel()
            cursor.close()
        lines = [", ".join(map(str, row)) for row in rows[: self.most]]
        text = "\n".join([", ".join(names), *lines])
        if len(text) > self.length:
            return "", f"its result has more than {self.length} characters: ask for less"
        if len(rows) > self.most:
            text += f"\n(only the first {self.most} rows: there are more)"
        return text, ""


def _normalize(sql: str) -> str:
    # Spaces count inside quotes, and a line's end ends a comment.
    literal = any(mark in sql for mark in ("'", '"', "$", "--", "/*"))
    return (sql.strip() if literal else " ".join(sql.split())).rstrip("; ")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]


def _import_duckdb() -> Any:
    try:
        import duckdb  # noqa: PLC0415 - an extra that other programs do not need
    except ImportError:
        raise InputError(
            "table_qa needs the duckdb package: pip install 'langprog[sql]'"
        ) from None
    return duckdb


@cache
def open_tables(database: str = "") -> Tables:
    """Return the tables of a duckdb file, or those of the shop; the same ones every time.

    Args:
        database: Path of the file; empty for the shop.

    Raises:
        InputError: duckdb is not installed.
    """
    limits = {"memory_limit": "256MB", "threads": "1", "temp_directory": ""}
    duckdb = _import_duckdb()
    if database:
        return Tables(duckdb.connect(database, read_only=True, config=limits))
    connection = duckdb.connect(":memory:", config=limits)
    customers, orders = draw_shop()
    connection.execute("CREATE TABLE customers(id INTEGER, name VARCHAR, city VARCHAR)")
    connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", customers)
    connection.execute(
        "CREATE TABLE orders(id INTEGER, customer INTEGER, product VARCHAR, price INTEGER)"
    )
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders)
    return Tables(connection)


class TableQA(lp.Module):
    """Answers a question about tables.

    Args:
        database: Path of a duckdb file; empty for the shop.
        schema: Its tables, as the model sees them.
    """

    signature = "question -> answer, sql"

    def __init__(self, database: str = "", schema: str = SCHEMA) -> None:
        self.database = database
        self.schema = schema
        self.write = lp.Predict(WriteQuery)
        self.answer = lp.Predict(Answer)

    def forward(self, question: str) -> Mapping[str, Any]:
        """Write a query until it runs, and answer from its rows."""
        sql = self.write(question=question, tables=self.schema).sql
        rows, problem = open_tables(self.database).query(sql)
        lp.require(not problem, f"the query is not accepted: {problem}")
        return {"answer": self.answer(question=question, rows=rows).answer, "sql": sql}


program = TableQA()


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for the right answer."""
    right = str(prediction.answer).strip().strip(".").casefold() == example.answer.casefold()
    asked = f" (the query was {prediction.sql})" if "sql" in prediction else ""
    return lp.Score(float(right), None if right else f"the answer is {example.answer}{asked}")


def draw_shop() -> tuple[list[tuple[int, str, str]], list[tuple[int, int, str, int]]]:
    """Return the rows of customers and orders."""
    rng = random.Random("table_qa")
    customers = [(at, name, rng.choice(CITIES)) for at, name in enumerate(NAMES)]
    orders = [
        (at, rng.randrange(len(NAMES)), rng.choice(PRODUCTS), rng.randint(5, 95))
        for at in range(80)
    ]
    return customers, orders


def examples() -> list[lp.Example]:
    """Return different questions about the shop, with their answers."""
    customers, orders = draw_shop()
    city_of = {at: city for at, _, city in customers}
    rows: dict[str, int] = {}
    for product in PRODUCTS:
        prices = [price for _, _, sold, price in orders if sold == product]
        rows[f"How many orders of a {product} are there?"] = len(prices)
        rows[f"What do all orders of a {product} cost together?"] = sum(prices)
        rows[f"What is the highest price of a {product}?"] = max(prices)
    for at, name, _ in customers:
        prices = [price for _, who, _, price in orders if who == at]
        rows[f"How many orders has {name} made?"] = len(prices)
        rows[f"How much has {name} spent?"] = sum(prices)
    for city in CITIES:
        for product in PRODUCTS:
            count = sum(city_of[who] == city and sold == product for _, who, sold, _ in orders)
            rows[f"How many orders of a {product} come from {city}?"] = count
    asked = [lp.Example(question=each, answer=str(value)) for each, value in rows.items()]
    random.Random("table_qa/order").shuffle(asked)
    return asked
