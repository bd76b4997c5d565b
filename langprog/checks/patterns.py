"""Regular expressions whose search takes time linear in the text.

A pattern may come from somebody else's artifact, and Python's ``re`` can take years for one, with
nothing that stops it. So patterns run on the Rust engine inside pydantic, which never backtracks;
in exchange there is no look-around and no backreference. Its time is bounded by the length of the
text times the size of the compiled pattern, so both are bounded as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from langprog.errors import InputError

# Characters. A longer text fails the check, with a message that says so.
LONGEST_PATTERN = 1_000
LONGEST_TEXT = 100_000


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern.

    Args:
        text: The pattern, in the syntax of Rust's ``regex`` (RE2's, much of Python's).
        whole: Whether the whole text has to match.

    Raises:
        InputError: The pattern is invalid, too long, or needs look-around or backreferences.
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
        if self.whole:
            adapter = _compile(rf"\A(?:{self.text})\z")
        object.__setattr__(self, "_adapter", adapter)

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
