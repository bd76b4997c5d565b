"""Multi-hop RAG in DSPy 3.4.1: `pip install dspy==3.4.1 bm25s`."""

import bm25s
import dspy

PASSAGES = [
    "The Lantern is a novel that Mira Castell published in 1987.",
    "Mira Castell was born in Orvane and taught school there for eleven years.",
    "Orvane lies on the river Tell, below the Grey Pass.",
    "The river Sarn runs through Halden and ends in the northern sea.",
    "Halden is the birthplace of the painter Jon Ferrow.",
    "The Glass Door is a film that Jon Ferrow painted the sets for.",
]
QUESTION = "On which river lies the birthplace of the author of The Lantern?"
INDEX = bm25s.BM25()
INDEX.index(bm25s.tokenize(PASSAGES, stopwords="en", show_progress=False), show_progress=False)


def search(query, k):
    tokens = bm25s.tokenize(query, stopwords="en", show_progress=False)
    found, _ = INDEX.retrieve(tokens, k=k, show_progress=False)
    return [PASSAGES[number] for number in found[0]]


class NextQuery(dspy.Signature):
    """Write a search query for what the notes do not say yet and the question needs."""

    question: str = dspy.InputField()
    notes: list[str] = dspy.InputField(desc="passages that were read so far")
    query: str = dspy.OutputField(desc="a few words")


class MultiHop(dspy.Module):
    def __init__(self, hops=3):
        super().__init__()
        self.hops = hops
        self.next_query = dspy.ChainOfThought(NextQuery)
        self.answer = dspy.ChainOfThought("question, notes: list[str] -> answer")

    def forward(self, question):
        notes = []
        for _ in range(self.hops):
            query = self.next_query(question=question, notes=notes).query
            notes += [text for text in search(query, k=2) if text not in notes]
        return dspy.Prediction(notes=notes, **self.answer(question=question, notes=notes))


if __name__ == "__main__":
    lm = dspy.LM("openai/gpt-6-luna")
    dspy.configure(lm=lm)
    result = MultiHop()(question=QUESTION)
    print(f"{result.answer}, after {len(result.notes)} passages and {len(lm.history)} calls")
