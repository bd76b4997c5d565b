"""Map and combine in DSPy 3.4.1."""

import dspy

DOCUMENTS = [
    "The north ferry carried 410 passengers in May and was late twice.",
    "The south ferry carried 380 passengers in May and was never late.",
    "(this page could not be scanned)",
    "The night ferry carried 95 passengers in May and was late five times.",
]


class Count(dspy.Signature):
    """Read from the document what the question asks for."""

    question: str = dspy.InputField()
    document: str = dspy.InputField()
    ferry: str = dspy.OutputField()
    late: int = dspy.OutputField(desc="how often it was late", ge=0)


class MapCombine(dspy.Module):
    def __init__(self):
        super().__init__()
        self.count = dspy.Predict(Count)
        self.combine = dspy.Predict("question, ferries: list[str], counts: list[int] -> answer")

    def forward(self, question, documents):
        rows = [
            dspy.Example(question=question, document=text).with_inputs("question", "document")
            for text in documents
        ]
        counts, failed, errors = self.count.batch(
            rows, num_threads=16, return_failed_examples=True
        )
        counts = [count for count in counts if count is not None]
        ferries = [count.ferry for count in counts]
        late = [count.late for count in counts]
        answer = self.combine(question=question, ferries=ferries, counts=late).answer
        places = [documents.index(row.document) for row in failed]
        return dspy.Prediction(answer=answer, failures=list(zip(places, errors, strict=True)))


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    result = MapCombine()(documents=DOCUMENTS, question="Which ferry was late most often in May?")
    print(result.answer)
    for place, error in result.failures:
        print(f"document {place} was left out: {type(error).__name__}")
