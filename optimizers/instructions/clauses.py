"""Instructions as lists of clauses, which can be put together in other ways.

A clause is a sentence, a line, or an item of a list after a colon: ``Do this: first; second.``
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# The end of a sentence: a mark and a space, before anything but a small letter. A number in front
# of a sentence, as in "1. Read it.", belongs to it.
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\Wa-z]|[^\w\s])|\n+")
_ITEM = re.compile(r";\s+")
_LEAD = re.compile(r"([^:;\n]{1,80}):\s+")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of an instruction.

    Args:
        text: The sentence with its mark at the end; an item without one.
        lead: What stands before the colon of the list that an item is of; empty for a sentence.
        line: Whether it stands on a line of its own.
    """

    text: str
    lead: str = ""
    line: bool = False

    @property
    def key(self) -> str:
        """What is the same for clauses that say the same: the words in lower case."""
        return " ".join(re.findall(r"\w+", self.text.lower()))


def split_clauses(instruction: str) -> list[Clause]:
    """Return the clauses of an instruction, in their order.

    Args:
        instruction: The instruction.
    """
    text = instruction.strip()
    clauses = []
    for sentence in _split_sentences(text):
        lead = _LEAD.match(sentence)
        if lead is not None and _ITEM.search(sentence):
            items = _ITEM.split(sentence[lead.end() :].rstrip().removesuffix("."))
            clauses += [Clause(item.strip(), lead[1].strip()) for item in items]
        elif sentence.strip():
            clauses.append(Clause(sentence.strip(), line="\n" in text))
    return [clause for clause in clauses if clause.key]


def join_clauses(clauses: Sequence[Clause]) -> str:
    """Return the instruction that consists of some clauses, each once, in their order.

    Args:
        clauses: The clauses; the items of one list stay together.
    """
    lists: dict[str, list[str]] = {}
    parts: list[str | list[str]] = []
    keys: set[str] = set()
    for clause in clauses:
        if clause.key in keys:
            continue
        keys.add(clause.key)
        if not clause.lead:
            parts.append(clause.text)
        elif clause.lead in lists:
            lists[clause.lead].append(clause.text)
        else:
            parts.append(lists.setdefault(clause.lead, [clause.text]))
    leads = iter(lists)
    sentences = [
        part if isinstance(part, str) else f"{next(leads)}: {'; '.join(part)}." for part in parts
    ]
    return ("\n" if any(clause.line for clause in clauses) else " ").join(sentences)


def _split_sentences(text: str) -> list[str]:
    sentences: list[str] = []
    number = ""
    for part in _SENTENCE.split(text):
        if re.fullmatch(r"\d+[.)]", part):
            number = f"{part} "
        else:
            sentences.append(number + part)
            number = ""
    return sentences
