"""Regular expressions whose search takes a bounded time.

A pattern may come from somebody else's artifact, and Python's ``re`` can take years for one, with
nothing that stops it. So patterns run on the Rust engine inside pydantic, which never backtracks;
in exchange there is no look-around and no backreference. Its time is at most proportional to the
length of the text times the size of the pattern with its repetitions written out, so both are
bounded: the worst pattern and text together take a few seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from langprog.errors import InputError

# Characters. A longer text fails the check, with a message that says so.
LONGEST_PATTERN = 1_000
LONGEST_TEXT = 50_000
# Characters of a pattern with its repetitions written out; a class or a set counts as one.
LARGEST_PATTERN = 1_000

_REPEAT = re.compile(r"\{(\d{0,9})(,?)(\d{0,9})\}")
_SET = re.compile(r"\[\^?\]?(?:[^\]\[\\]|\\.)*+\]", re.DOTALL)
_VERBOSE = re.compile(r"\(\?[a-zA-Z-]*x")


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern.

    Args:
        text: The pattern, in the syntax of Rust's ``regex`` (RE2's, much of Python's).
        whole: Whether the whole text has to match.

    Raises:
        InputError: The pattern is invalid, too large, or needs look-around or backreferences.
    """

    text: str
    whole: bool = True
    _adapter: TypeAdapter[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InputError(f"a pattern is a text, not {self.text!r:.60}")
        if len(self.text) > LONGEST_PATTERN:
            raise InputError(
                f"the pattern has {len(self.text):,} characters, more than {LONGEST_PATTERN:,}: "
                "write the check as a function, lp.Check(...)"
            )
        adapter = _compile(self.text)  # as it is: no bracket may close ours
        if self.size > LARGEST_PATTERN:
            raise InputError(
                f"the pattern {self.text!r:.80} has more than {LARGEST_PATTERN:,} characters with "
                "its repetitions written out: check the length with lp.checks.length, or write "
                "the check as a function, lp.Check(...)"
            )
        if self.whole:
            adapter = _compile(rf"\A(?:{self.text})\z")
        object.__setattr__(self, "_adapter", adapter)

    @property
    def size(self) -> int:
        """Characters with repetitions written out; a class or a set counts as one."""
        return _size_of(self.text)

    def search(self, text: str) -> bool:
        """Return whether a text of at most ``LONGEST_TEXT`` characters matches."""
        try:
            self._adapter.validate_python(text)
        except ValidationError:
            return False
        return True


def _compile(pattern: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except (SchemaError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = lines[-1].removeprefix("error: ") if lines else "it is invalid"
        raise InputError(
            f"the pattern {pattern!r:.80} cannot be used: {why} (patterns have the syntax of RE2: "
            "no look-around, no backreferences, so that no text can take for ever)"
        ) from None


def _size_of(pattern: str) -> int:
    """Return the number of characters of a valid pattern with its repetitions written out.

    Where this and the engine could read a pattern differently, it is refused.

    Raises:
        InputError: It has white space to ignore, or a set inside a set.
    """
    if _VERBOSE.search(pattern):
        raise InputError(f"the pattern {pattern!r:.80} has the flag x, which is not supported")
    sums, last, place = [0], 0, 0
    while place < len(pattern):
        repeat = _REPEAT.match(pattern, place)
        sign, end, size = pattern[place], place + 1, 1
        if repeat is not None:
            most = max(int(number or 1) for number in repeat.group(1, 3))
            size, last, end = last * (most - 1), last * most, repeat.end()
        elif sign == "[":
            whole = _SET.match(pattern, place)
            if whole is None:
                raise InputError(f"the pattern {pattern!r:.80} has a set inside a set")
            end, last = whole.end(), 1
        elif sign == "(":
            sums.append(1)
            size = last = 0
        elif sign == ")":
            size = last = sums.pop()
        elif sign not in "*+?":  # which repeat without a copy
            end, last = place + (2 if sign == "\\" else 1), 1
        sums[-1] += size
        place = end
    return sum(sums)
