"""Text to SQL with a repair loop in DSPy 3.4.1."""

import sqlite3

import dspy

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


class Query(dspy.Signature):
    """Write a query for SQLite that answers the question."""

    tables: str = dspy.InputField()
    question: str = dspy.InputField()
    sql: str = dspy.OutputField(desc="one select statement, nothing else")


def find_error(sql):
    try:
        return "" if DATABASE.execute(sql).fetchall() else "it returns no rows"
    except sqlite3.Error as error:
        return f"SQLite says: {error}"


class TextToSQL(dspy.Module):
    def __init__(self, repairs=3):
        super().__init__()
        self.repairs = repairs
        self.write = dspy.Predict(Query)
        self.repair = dspy.Predict("tables, question, wrong_sql, error -> sql")

    def forward(self, tables, question):
        sql = self.write(tables=tables, question=question).sql
        for repairs in range(self.repairs):
            error = find_error(sql)
            if not error:
                return dspy.Prediction(sql=sql, repairs=repairs)
            sql = self.repair(tables=tables, question=question, wrong_sql=sql, error=error).sql
        return dspy.Prediction(sql=sql, repairs=self.repairs)


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    question = "Which ferry is fullest on average, in percent?"
    result = TextToSQL()(tables=TABLES, question=question)
    print(*DATABASE.execute(result.sql).fetchone(), f"after {result.repairs} repairs")
