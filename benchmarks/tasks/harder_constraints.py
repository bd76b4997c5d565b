"""Checks of IFBench's constraints that need no linguistic model; IFEval's are in ``constraints``.

Follows: Generalizing Verifiable Instruction Following (Pyatkin et al., 2025). Differs: written
anew from the wording of the prompts; constraints on names, parts of speech, syllables, emoji and
kinds of sentences, those whose check needs the right answer, and unclear ones are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from benchmarks.tasks.constraints import IFEVAL, Check, sentences, words

CONJUNCTIONS = frozenset({"for", "and", "nor", "but", "or", "yet", "so"})
MARKS = ".,;:!?"
INTERROBANG = re.compile(r"\?!|!\?|\u203d")
OPENING = {"(": ")", "[": "]", "{": "}"}
PRIMES = frozenset(
    {
        2,
        3,
        5,
        7,
        11,
        13,
        17,
        19,
        23,
        29,
        31,
        37,
        41,
        43,
        47,
        53,
        59,
        61,
        67,
        71,
        73,
        79,
        83,
        89,
        97,
    }
)
LIST_ITEM = r"^\s*{}\s*\S"


def _count_of(text: str, word: str) -> int:
    return len(re.findall(rf"\b{re.escape(word)}\b", text, re.IGNORECASE))


def _keywords(text: str, **keywords: str) -> bool:
    wanted = dict(zip(("keyword1", "keyword2", "keyword3"), (1, 2, 3), strict=True))
    wanted |= {"keyword4": 5, "keyword5": 7}
    return all(_count_of(text, keywords[name]) == count for name, count in wanted.items())


def _keyword_at(text: str, keyword: str, n: float, m: float) -> bool:
    said = sentences(text)
    if len(said) < n:
        return False
    inside = words(said[int(n) - 1])
    return len(inside) >= m and inside[int(m) - 1].lower() == keyword.lower()


def _keyword_in(text: str, word: str, N: float) -> bool:
    said = sentences(text)
    return len(said) >= N and _count_of(said[int(N) - 1], word) > 0


def _word_in_place(text: str, keyword: str) -> bool:
    said = [word.lower() for word in words(text)]
    return len(said) > 1 and said[1] == said[-2] == keyword.lower()


def _depth(text: str) -> int:
    deepest = 0
    waiting: list[str] = []
    for letter in text:
        if letter in OPENING:
            waiting.append(OPENING[letter])
            deepest = max(deepest, len(waiting))
        elif waiting and letter == waiting[-1]:
            waiting.pop()
    return deepest


def _list_of(text: str, sep: str) -> bool:
    return len(re.findall(LIST_ITEM.format(re.escape(sep)), text, re.MULTILINE)) > 1


def _stairs(text: str) -> bool:
    indents = [len(line) - len(line.lstrip()) for line in text.splitlines() if line.strip()]
    return len(indents) > 1 and all(a < b for a, b in zip(indents, indents[1:], strict=False))


def _sub_bullets(text: str) -> bool:
    bullets = re.split(r"^\s*\*\s", text, flags=re.MULTILINE)[1:]
    return bool(bullets) and all(re.search(r"^\s*-\s", part, re.MULTILINE) for part in bullets)


def _sentences_then_bullets(text: str) -> bool:
    lead, *bullets = re.split(r"^\s*\*\s", text, flags=re.MULTILINE)
    return len(bullets) >= 2 and sum(part.endswith(".") for part in sentences(lead)) >= 2


def _grows(text: str, small_n: float) -> bool:
    lengths = [len(words(part)) for part in sentences(text)]
    return len(lengths) > 1 and all(
        later - earlier == small_n for earlier, later in zip(lengths, lengths[1:], strict=False)
    )


def _alphabet(text: str) -> bool:
    initials = [word[0].lower() for word in words(text)]
    if not initials or not ("a" <= initials[0] <= "z"):
        return False
    start = ord(initials[0]) - ord("a")
    wanted = [chr(ord("a") + (start + place) % 26) for place in range(len(initials))]
    return initials == wanted


def _chained(text: str) -> bool:
    inside = [words(part) for part in sentences(text)]
    if len(inside) < 2 or not all(inside):
        return False
    return all(
        earlier[-1].lower() == later[0].lower()
        for earlier, later in zip(inside, inside[1:], strict=False)
    )


def _palindromes(text: str) -> bool:
    distinct = {word.lower() for word in words(text) if len(word) >= 5}
    return sum(word == word[::-1] for word in distinct) >= 10


def _framed_paragraphs(text: str) -> bool:
    paragraphs = [words(part) for part in text.splitlines() if part.strip()]
    return bool(paragraphs) and all(
        part and part[0].lower() == part[-1].lower() for part in paragraphs
    )


def _initials_differ(text: str) -> bool:
    initials = [word[0].lower() for word in words(text)]
    return all(a != b for a, b in zip(initials, initials[1:], strict=False))


def _clusters(text: str) -> bool:
    return all(re.search(r"[b-df-hj-np-tv-z]{2}", word.lower()) for word in words(text))


def _template(text: str) -> bool:
    filled = re.match(
        r"\s*My Answer:(.+)My Conclusion:(.+)Future Outlook:(.+)", text, flags=re.DOTALL
    )
    return filled is not None and all(part.strip() for part in filled.groups())


def _first_word_changed(text: str, prompt_to_repeat: str) -> bool:
    said, wanted = text.split(), prompt_to_repeat.split()
    return said[1:] == wanted[1:] and said[:1] != wanted[:1]


def _span(text: str, prompt_to_repeat: str, n_start: float, n_end: float) -> bool:
    wanted = prompt_to_repeat.split()[int(n_start) : int(n_end) + 1]
    return text.split() == wanted


IFBENCH: Mapping[str, Check] = MappingProxyType(
    {
        **IFEVAL,
        "count:conjunctions": lambda text, small_n: (
            len(CONJUNCTIONS & {word.lower() for word in words(text)}) >= small_n
        ),
        "count:keywords_multiple": _keywords,
        "count:numbers": lambda text, N: len(re.findall(r"\b\d+(?:[.,]\d+)*\b", text)) == N,
        "count:punctuation": lambda text: (
            set(MARKS) <= set(text) and bool(INTERROBANG.search(text))
        ),
        "count:unique_word_count": lambda text, N: (
            len({word.lower() for word in words(text)}) >= N
        ),
        "count:word_count_range": lambda text, min_words, max_words: (
            min_words <= len(words(text)) <= max_words
        ),
        "custom:sentence_alphabet": lambda text: (
            [part[0].lower() for part in sentences(text)]
            == [chr(97 + place) for place in range(26)]
        ),
        "format:line_indent": _stairs,
        "format:list": _list_of,
        "format:newline": lambda text: all(
            len(line.split()) == 1 for line in text.splitlines() if line.strip()
        ),
        "format:no_bullets_bullets": _sentences_then_bullets,
        "format:no_whitespace": lambda text: not re.search(r"\s", text.strip()),
        "format:options": lambda text, options: (
            text.strip().rstrip(".").lower()
            in {part.strip().lower() for part in re.split(r"/|, | or ", options)}
        ),
        "format:output_template": _template,
        "format:parentheses": lambda text: _depth(text) >= 5,
        "format:sub-bullets": _sub_bullets,
        "repeat:repeat_change": _first_word_changed,
        "repeat:repeat_span": _span,
        "sentence:increment": _grows,
        "sentence:keyword": _keyword_in,
        "words:alphabet": _alphabet,
        "words:consonants": _clusters,
        "words:keywords_specific_position": _keyword_at,
        "words:last_first": _chained,
        "words:no_consecutive": _initials_differ,
        "words:palindrome": _palindromes,
        "words:paragraph_last_first": _framed_paragraphs,
        "words:prime_lengths": lambda text: all(len(word) in PRIMES for word in words(text)),
        "words:repeats": lambda text, small_n: all(
            count <= small_n for count in Counter(word.lower() for word in words(text)).values()
        ),
        "words:words_position": _word_in_place,
    }
)
