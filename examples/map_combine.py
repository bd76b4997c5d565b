"""Map and combine: one question asked of every document, several at a time, and one answer.

A document whose reply fails does not end the run: it is listed.

    python examples/map_combine.py    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

import langprog as lp

DOCUMENTS = [
    "The north ferry carried 410 passengers in May and was late twice.",
    "The south ferry carried 380 passengers in May and was never late.",
    "(this page could not be scanned)",
    "The night ferry carried 95 passengers in May and was late five times.",
]


class Count(lp.Signature):
    """Read from the document what the question asks for."""

    question: str = lp.Input()
    document: str = lp.Input()
    ferry: str = lp.Output()
    late: int = lp.Output("how often it was late", ge=0)


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    counts = lp.Map(
        lp.Predict(Count),
        over="documents",
        item="document",
        outputs={"ferry": "ferries", "late": "counts"},
        on_error="drop",
    )
    combine = lp.Predict("question, ferries: list[str], counts: list[int] -> answer")
    program = lp.Pipeline(counts=counts, combine=combine)
    result = program(documents=DOCUMENTS, question="Which ferry was late most often in May?")
    print(result.answer)
    for failure in result.documents_failures:
        print(f"document {failure.index} was left out: {failure.error}")
