"""Checks of the constraints that IFEval sets for a response: is it long enough, without commas...?

Follows: Instruction-Following Evaluation for Large Language Models (Zhou et al., 2023), strict
scores. Differs: written anew from the wording of the prompts; sentences end where punctuation is
followed by a space and a capital, instead of where a trained splitter ends them; the language of a
response is not checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

Check = Callable[..., bool]
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[*]*[A-Z0-9])|\n{2,}")
WORD = re.compile(r"\w+(?:['’-]\w+)*")
CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [part.strip() for part in SENTENCE_END.split(text) if part.strip()]


def words(text: str) -> list[str]:
    """Return the words of a text; one with a hyphen or an apostrophe is one word."""
    return WORD.findall(text)


def holds(number: int, relation: str, wanted: float) -> bool:
    """Compare a number as the prompts word it: ``at least`` or ``less than``."""
    return number < wanted if relation == "less than" else number >= wanted


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator)]


def _all_filled(parts: list[str], count: float) -> bool:
    inner = parts[1:] if parts and not parts[0] else parts
    inner = inner[:-1] if inner and not inner[-1] else inner
    return len(inner) == count and all(inner)


def _keyword_count(text: str, keyword: str, relation: str, frequency: float) -> bool:
    return holds(len(re.findall(re.escape(keyword), text, re.IGNORECASE)), relation, frequency)


def _letter_count(text: str, letter: str, let_relation: str, let_frequency: float) -> bool:
    return holds(text.lower().count(letter.lower()), let_relation, let_frequency)


def _capital_words(text: str, capital_relation: str, capital_frequency: float) -> bool:
    capitals = sum(word.isupper() for word in words(text))
    return holds(capitals, capital_relation, capital_frequency)


def _bullets(text: str, num_bullets: float) -> bool:
    return len(re.findall(r"^\s*(?:\*(?!\*)|-)\s*\S", text, re.MULTILINE)) == num_bullets


def _highlights(text: str, num_highlights: float) -> bool:
    marked = re.findall(r"\*\*([^\n*]+)\*\*|\*([^\n*]+)\*", text)
    return sum(any(part.strip() for part in parts) for parts in marked) >= num_highlights


def _sections(text: str, section_spliter: str, num_sections: float) -> bool:
    sections = re.split(rf"\s?{re.escape(section_spliter)}\s?\d+\s?", text)
    return len(sections) - 1 >= num_sections


def _json(text: str) -> bool:
    bare = re.sub(r"^```(?:json)?|```$", "", text.strip(), flags=re.IGNORECASE).strip()
    try:
        json.loads(bare)
    except ValueError:
        return False
    return True


def _nth_paragraph(
    text: str, num_paragraphs: float, nth_paragraph: float, first_word: str
) -> bool:
    paragraphs = [part for part in _parts(text, "\n\n") if part]
    if len(paragraphs) != num_paragraphs or not 1 <= nth_paragraph <= len(paragraphs):
        return False
    first = words(paragraphs[int(nth_paragraph) - 1])[:1]
    return [word.lower() for word in first] == [first_word.lower()]


def _postscript(text: str, postscript_marker: str) -> bool:
    letters = [letter for letter in postscript_marker if letter.isalpha()]
    pattern = r"\.?\s?".join(letters)
    return bool(re.search(rf"^\s*{pattern}\b", text, re.IGNORECASE | re.MULTILINE))


def _two_responses(text: str) -> bool:
    parts = [part for part in _parts(text, "******") if part]
    return len(parts) == 2 and parts[0] != parts[1]


def _forbidden(text: str, forbidden_words: list[str]) -> bool:
    return not any(
        re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in forbidden_words
    )


def _placeholders(text: str, num_placeholders: float) -> bool:
    return len(re.findall(r"\[[^\[\]]*\]", text)) >= num_placeholders


def _repeats(text: str, prompt_to_repeat: str) -> bool:
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _ends(text: str, end_phrase: str) -> bool:
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def _quoted(text: str) -> bool:
    bare = text.strip()
    return len(bare) > 1 and bare.startswith('"') and bare.endswith('"')


IFEVAL: Mapping[str, Check] = MappingProxyType(
    {
        "change_case:capital_word_frequency": _capital_words,
        "change_case:english_capital": lambda text: text.isupper(),
        "change_case:english_lowercase": lambda text: text.islower(),
        "combination:repeat_prompt": _repeats,
        "combination:two_responses": _two_responses,
        "detectable_content:number_placeholders": _placeholders,
        "detectable_content:postscript": _postscript,
        "detectable_format:constrained_response": lambda text: any(
            choice in text for choice in CHOICES
        ),
        "detectable_format:json_format": _json,
        "detectable_format:multiple_sections": _sections,
        "detectable_format:number_bullet_lists": _bullets,
        "detectable_format:number_highlighted_sections": _highlights,
        "detectable_format:title": lambda text: bool(re.search(r"<<[^\n<>]*\S[^\n<>]*>>", text)),
        "keywords:existence": lambda text, keywords: all(
            word.lower() in text.lower() for word in keywords
        ),
        "keywords:forbidden_words": _forbidden,
        "keywords:frequency": _keyword_count,
        "keywords:letter_frequency": _letter_count,
        "length_constraints:nth_paragraph_first_word": _nth_paragraph,
        "length_constraints:number_paragraphs": lambda text, num_paragraphs: _all_filled(
            _parts(text, "***"), num_paragraphs
        ),
        "length_constraints:number_sentences": lambda text, relation, num_sentences: holds(
            len(sentences(text)), relation, num_sentences
        ),
        "length_constraints:number_words": lambda text, relation, num_words: holds(
            len(words(text)), relation, num_words
        ),
        "punctuation:no_comma": lambda text: "," not in text,
        "startend:end_checker": _ends,
        "startend:quotation": _quoted,
    }
)
