"""Text to SQL with a repair loop: a query that does not run goes back with the database's error.

python examples/text_to_sql.py    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

import sqlite3

import langprog as lp

TABLES = """
create table ferry (id integer primary key, name text, seats integer);
create table trip (ferry_id integer references ferry, day text, passengers integer);
"""
DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
DATABASE.executescript(TABLES)
DATABASE.executescript("""
insert into ferry values (1, 'north', 120), (2, 'south', 80);
insert into trip values (1, '2025-05-01', 60), (1, '2025-05-02', 90), (2, '2025-05-01', 76);
pragma query_only = on;
""")


class Query(lp.Signature):
    """Write a query for SQLite that answers the question."""

    tables: str = lp.Input()
    question: str = lp.Input()
    sql: str = lp.Output("one select statement, nothing else")


def find_error(sql):
    try:
        return "" if DATABASE.execute(sql).fetchall() else "it returns no rows"
    except sqlite3.Error as error:
        return f"SQLite says: {error}"


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    program = lp.Predict(Query, checks=[lp.Check(find_error, "the query must run")], reasks=3)
    result = program(tables=TABLES, question="Which ferry is fullest on average, in percent?")
    print(*DATABASE.execute(result.sql).fetchone(), f"after {result.usage.reasks} repairs")
