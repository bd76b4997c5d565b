"""Text to token ids and back: known words as a whole, else pieces, letters and bytes.

Follows: word-piece vocabularies (BERT) with byte fallback (SentencePiece). Differs: spaces implied
by their neighbors are not stored. A word, a number or an opening bracket implies a space before it
if a word, a number or a closing mark precedes it; ``GLUE`` means that this space is missing,
``SPACE`` is one that is not implied. Capitalization is stored as separate marks, so that
``Invoice`` and ``invoice`` share their embedding. Any text is restored unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAD, SYSTEM, USER, ASSISTANT, END, GLUE, SPACE, CAPITAL, UPPER = range(9)
SPECIALS = (
    "<pad>",
    "<system>",
    "<user>",
    "<assistant>",
    "<end>",
    "<glue>",
    "<space>",
    "<capital>",
    "<upper>",
)

# Fixed texts of the prompt formats are one token each, to save context.
FORMATS = (
    "\n\nReply with the output fields, each under its marker, in this order: ",
    "\n\nReply with one JSON object that has exactly these keys, in this order: ",
    "\n\nInput fields:\n- ",
    "\nOutput fields:\n- ",
    "\n- ",
    " (one of: ",
    "\n\n",
    "\n",
    "[[ ## ",
    " ## ]]\n",
    " ## ]]",
    "\n[[ ## ",
    "\n\n[[ ## ",
    "]]\n",
    "\n[[",
    "]] [[",
    "[[",
    "]]",
    '{"',
    '": "',
    '", "',
    '"}',
    '["',
    '"]',
    '": ["',
    '"], "',
    '"]}',
    '": ',
    ', "',
    " -> ",
)
CLOSING = ".,;:!?)]}%"
OPENING = "([{$#"
TIGHT = "\"'-_/\\@&*+=<>|~^`"
CONTRACTIONS = ("'t", "'s", "'re", "'ve", "'ll", "'m", "'d")

_WORD, _JOIN, _NUMBER, _CLOSE, _OPEN, _TIGHT, _OTHER = range(7)
_SPACED_AFTER = frozenset({_WORD, _JOIN, _NUMBER, _CLOSE})
_SPACED_BEFORE = frozenset({_WORD, _NUMBER, _OPEN})


@dataclass
class Tokenizer:
    """A vocabulary, for encoding and decoding.

    Args:
        words: Lower-case words that are one token at the start of a word.
        pieces: Lower-case letter groups that continue a word.
    """

    words: Sequence[str]
    pieces: Sequence[str]
    _ids: dict[str, int] = field(init=False, repr=False)
    _cache: dict[str, tuple[int, ...]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        marks = [*FORMATS, *CLOSING, *OPENING, *TIGHT]
        self._texts: list[str] = list(SPECIALS)
        self._kinds: list[int] = [_OTHER] * len(SPECIALS)
        self._ids = {}
        self._joined: dict[str, int] = {}
        for text in marks:
            kind = _CLOSE if text in CLOSING else _OPEN if text in OPENING else _TIGHT
            self._ids[text] = self._add(text, kind)
        self._digits = [self._add(str(d), _NUMBER) for d in range(10)]
        self._more_digits = [self._add(str(d), _JOIN) for d in range(10)]
        self._bytes = self._add("<byte>", _TIGHT)
        for _ in range(255):
            self._add("<byte>", _TIGHT)
        for text in (*CONTRACTIONS, *self.pieces):
            self._joined[text] = self._add(text, _JOIN)
        for text in self.words:
            self._ids[text] = self._add(text, _WORD)
        formats = "|".join(re.escape(f) for f in sorted(FORMATS, key=len, reverse=True))
        self._split = re.compile(
            f"({formats})"
            r"|((?<=[A-Za-z])'(?:t|s|re|ve|ll|m|d)(?![A-Za-z]))"
            r"|([A-Z]?[a-z]+|[A-Z]{2,}(?![a-z])|[A-Z])"
            r"|([0-9]+)|( +)|(.)",
            re.DOTALL,
        )
        self._longest = max((len(p) for p in self.pieces), default=1)

    def _add(self, text: str, kind: int) -> int:
        self._texts.append(text)
        self._kinds.append(kind)
        return len(self._texts) - 1

    def __len__(self) -> int:
        return len(self._texts)

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; ``decode`` restores it unchanged."""
        out: list[int] = []
        before = _OTHER
        spaces = 0
        kinds = self._kinds
        for match in self._split.finditer(text):
            group = match.lastindex
            piece = match.group()
            if group == 5:
                spaces = len(piece)
                continue
            ids = self._unit(group or 6, piece)
            kind = _WORD if group == 3 else kinds[ids[0]]
            implied = before in _SPACED_AFTER and kind in _SPACED_BEFORE
            if spaces:
                if spaces > 1 or not implied:
                    out.extend([SPACE] * spaces)
                spaces = 0
            elif implied:
                out.append(GLUE)
            out.extend(ids)
            before = kinds[ids[-1]]
        out.extend([SPACE] * spaces)
        return out

    def _unit(self, group: int, piece: str) -> Sequence[int]:
        if group == 3:
            return self._word(piece)
        if group == 4:
            return [self._digits[int(piece[0])], *(self._more_digits[int(d)] for d in piece[1:])]
        if group == 2:
            return (self._joined[piece],)
        known = self._ids.get(piece)
        if known is not None:
            return (known,)
        return [self._bytes + b for b in piece.encode("utf-8", "surrogatepass")]

    def _word(self, word: str) -> tuple[int, ...]:
        known = self._cache.get(word)
        if known is None:
            low = word.lower()
            mark = (
                () if low == word else (UPPER,) if len(word) > 1 and word.isupper() else (CAPITAL,)
            )
            known = mark + self._spell(low)
            if len(self._cache) < 50_000:
                self._cache[word] = known
        return known

    def _spell(self, word: str) -> tuple[int, ...]:
        if word in self._ids:
            return (self._ids[word],)
        for cut in range(len(word) - 1, 2, -1):  # a known word with an ending
            if word[:cut] in self._ids and word[cut:] in self._joined:
                return (self._ids[word[:cut]], self._joined[word[cut:]])
        start = next(c for c in (3, 2, 1) if word[:c] in self._ids)
        return (self._ids[word[:start]], *self._continue(word[start:]))

    def _continue(self, rest: str) -> Iterable[int]:
        while rest:
            cut = next(
                c for c in range(min(self._longest, len(rest)), 0, -1) if rest[:c] in self._joined
            )
            yield self._joined[rest[:cut]]
            rest = rest[cut:]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ``ids``, without role marks and padding."""
        out = bytearray()
        before = _OTHER
        glued = False
        mark = case = 0  # the last mark, and the one for this word
        for i in ids:
            if i <= UPPER:
                glued = glued or i == GLUE
                mark = i if i in (CAPITAL, UPPER) else mark
                if i == SPACE:
                    out += b" "
                    before = _OTHER
                continue
            kind, text = self._kinds[i], self._texts[i]
            if before in _SPACED_AFTER and kind in _SPACED_BEFORE and not glued:
                out += b" "
            if kind == _WORD:
                case = mark
                text = text.upper() if case == UPPER else text.capitalize() if case else text
            elif kind == _JOIN and case == UPPER and text.isalpha():
                text = text.upper()
            elif kind != _JOIN:
                case = 0
            glued, mark, before = False, 0, kind
            if self._bytes <= i < self._bytes + 256:
                out.append(i - self._bytes)
            else:
                out += text.encode()
        return _text(out)

    def identity(self, token: int) -> tuple[str, int]:
        """Return a token's identity across vocabularies: its text, and its kind or fixed index."""
        fixed = self._bytes + 256
        return (self._texts[token], self._kinds[token] if token >= fixed else -token - 1)

    def text_of(self, token: int) -> str:
        """Return a token's text, for tables and errors."""
        return self._texts[token]

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        state = {"words": list(self.words), "pieces": list(self.pieces)}
        path.write_text(json.dumps(state, ensure_ascii=True, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what ``save`` wrote."""
        state = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(state["words"]), tuple(state["pieces"]))


def _text(data: bytearray) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # a sampled reply can break a character
        return data.decode("utf-8", "replace")
