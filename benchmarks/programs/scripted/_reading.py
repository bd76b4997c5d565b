"""Reading answers out of sentences of the atlas (programs/_places.py), for several scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What is asked, by a word of the question, and how a sentence says it.
SAYS = {
    "born": r"{} was born in (\w+)",
    "from": r"{} was born in (\w+)",
    "birthplace": r"{} was born in (\w+)",
    "trade": r"{} is an? (\w+)",
    "living": r"{} is an? (\w+)",
    "river": r"{} lies on the river (\w+)",
    "lie": r"{} lies on the river (\w+)",
    "founded": r"{} was founded in (\d+)",
}


def names_in(question: str) -> list[str]:
    """Return the names in a question."""
    return re.findall(r"[A-Z]\w+(?: [A-Z]\w+)?", question.partition(" ")[2])


def read_answer(question: str, passages: Iterable[str]) -> str | None:
    """Return what the passages say of the question's name and the last thing that it asks for."""
    text = " ".join(passages)
    asked = [word for word in re.findall(r"\w+", question) if word in SAYS]
    for name in names_in(question):
        for word in reversed(asked):
            found_at = re.search(SAYS[word].format(re.escape(name)), text)
            if found_at:
                return found_at[1]
    return None
