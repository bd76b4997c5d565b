"""Multi-hop RAG: search, read, search again for what is missing, then answer.

Run it with a key in OPENAI_API_KEY, or with OPENAI_BASE_URL for another endpoint:

    pip install 'langprog[retrieval]'
    python examples/multi_hop_rag.py
"""

import langprog as lp

PASSAGES = [
    "The Lantern is a novel that Mira Castell published in 1987.",
    "Mira Castell was born in Orvane and taught school there for eleven years.",
    "Orvane lies on the river Tell, below the Grey Pass.",
    "The river Sarn runs through Halden and ends in the northern sea.",
    "Halden is the birthplace of the painter Jon Ferrow.",
    "The Glass Door is a film that Jon Ferrow painted the sets for.",
]
QUESTION = "On which river lies the birthplace of the author of The Lantern?"


class NextQuery(lp.Signature):
    """Write a search query for what the notes do not say yet and the question needs."""

    question: str = lp.Input()
    notes: list[str] = lp.Input("passages that were read so far")
    query: str = lp.Output("a few words")


class MultiHop(lp.Module):
    def __init__(self, hops=3):
        self.hops = hops
        self.next_query = lp.ChainOfThought(NextQuery)
        self.search = lp.Retrieve(lp.BM25Retriever(PASSAGES, name="passages"), k=2)
        self.answer = lp.ChainOfThought("question, notes: list[str] -> answer")

    def forward(self, question):
        notes = []
        for _ in range(self.hops):
            query = self.next_query(question=question, notes=notes).query
            notes += [text for text in self.search(query=query).passages if text not in notes]
        return {"notes": notes, **self.answer(question=question, notes=notes)}


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    result = MultiHop()(question=QUESTION)
    print(f"{result.answer}, after {len(result.notes)} passages and {result.usage.calls} calls")
