"""Answer questions about tables: write a query, run it read-only, and answer from its rows.

Follows: Text2SQL is Not Enough: Unifying AI and Databases with TAG (Biswal et al., 2024): query
synthesis, execution, answer generation; and, for probes that are shared, Supporting Our AI
Overlords: Redesigning Data Systems to be Agent-First (Liu et al., 2025). Differs: a query that
fails or is refused goes back to the model with the reason; it runs in a process of its own, in a
read-only transaction of duckdb without access to files, network and settings, within limits of
time, memory and rows; a query that was run before, for whichever question, is not run again. The
shop is generated.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import langprog as lp
from programs._queries import Tables

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


@cache
def open_tables(database: str = "") -> Tables:
    """Return the tables of a duckdb file, or those of the shop; the same ones every time.

    Args:
        database: Path of the file; empty for the shop.

    Raises:
        InputError: duckdb is not installed, or the file cannot be opened.
    """
    if database:
        return Tables(database)
    customers, orders = draw_shop()
    return Tables(
        setup=(
            "CREATE TABLE customers(id INTEGER, name VARCHAR, city VARCHAR)",
            f"INSERT INTO customers VALUES {', '.join(map(str, customers))}",
            "CREATE TABLE orders(id INTEGER, customer INTEGER, product VARCHAR, price INTEGER)",
            f"INSERT INTO orders VALUES {', '.join(map(str, orders))}",
        )
    )


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
