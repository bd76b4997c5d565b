"""A prompt template as a value: its messages, the places of its values, and its instruction.

The instruction is the part of the template that tells the model what to do; it may be replaced.
Demonstrations are written as the template itself writes a call: in a text, before the call; in a
list of messages, as earlier turns. Everything else stays as it is, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Self, get_args

from langprog.adapters.template_source import SYNTAXES, Piece, Syntax, escape_text, scan_template
from langprog.errors import InputError

Layout = Literal["text", "messages", "object"]
Role = Literal["system", "user", "assistant"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
ROLES: tuple[Role, ...] = get_args(Role)

# Characters; above what models take, and read in seconds.
LONGEST = 1_000_000
# Where demonstrations go, if a template has such a place.
DEMOS = "demos"
_GAP = "\n\n"
_BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")
# More of them in a row than any prompt has: each takes a look at the whole text.
_MOST_HEADINGS = 50
_LINE_END = re.compile(r"\n")
# Signs in the place of what is not plain text.
_SLOT, _DEMOS, _OTHER = "\ue000", "\ue001", "\ue002"
_SIGNS = str.maketrans(dict.fromkeys((_SLOT, _DEMOS, _OTHER), "?"))

# A message's role and its pieces.
Composed = tuple[tuple[Role, tuple[Piece, ...]], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Where the instruction stands: the message, and where in its source it begins and ends."""

    message: int
    start: int
    end: int


class _Parsed(NamedTuple):
    """The pieces of every message, and where in the last one's source the call itself begins."""

    pieces: tuple[tuple[Piece, ...], ...]
    form: int


@dataclass(frozen=True)
class Template:
    """A prompt template.

    Args:
        syntax: How places for values are written.
        layout: What its file is: one text, a list of messages, or an object with ``messages``.
        messages: Role and source of each message; a text is one message of the user.
        instruction: Where the instruction stands.

    Raises:
        InputError: It has no place for a value, its last message is not the user's, a place for
            demonstrations is not where it can be, or a source cannot be read; names message and
            line.
    """

    syntax: Syntax
    layout: Layout
    messages: tuple[tuple[Role, str], ...]
    instruction: Span
    _parsed: _Parsed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.syntax not in SYNTAXES or self.layout not in LAYOUTS:
            raise InputError(f"a template cannot be {self.syntax!r:.40} and {self.layout!r:.40}")
        if not self.messages or (self.layout == "text" and len(self.messages) > 1):
            raise InputError("a template is one text, or one message or more")
        if any(role not in ROLES for role, _ in self.messages):
            raise InputError(f"the roles of a template's messages are {', '.join(ROLES)}")
        if self.messages[-1][0] != "user":
            raise InputError("the last message is not the user's, so nothing is asked")
        size = sum(len(source) for _, source in self.messages)
        if size > LONGEST:
            raise InputError(f"a template has at most {LONGEST:,} characters, not {size:,}")
        pieces = tuple(self._scan(at) for at in range(len(self.messages)))
        object.__setattr__(self, "_parsed", _Parsed(pieces, _form_start(pieces[-1])))
        self._check()

    def _scan(self, message: int) -> tuple[Piece, ...]:
        try:
            return scan_template(self.messages[message][1], self.syntax)
        except InputError as error:
            raise InputError(f"{self._where(message)}{error}") from None

    def _where(self, message: int) -> str:
        return "" if self.layout == "text" else f"message {message + 1}, "

    def _check(self) -> None:
        if not self.slots:
            raise InputError(
                f"it has no place for a value: write {self.place('name')} where the input goes"
            )
        places = [
            at
            for at, pieces in enumerate(self._parsed.pieces)
            for each in pieces
            if each.slot == DEMOS
        ]
        if places and places != [len(self.messages) - 1]:
            raise InputError(f"{self.place(DEMOS)} may stand once, in the last message")
        span = self.instruction
        if not 0 <= span.message < len(self.messages):
            raise InputError("the instruction of a template is in one of its messages")
        if any(piece.slot for piece in self._parts(span.message)[1]):
            raise InputError("the instruction of a template has no place for a value")

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the values, each once, in the order in which they first appear."""
        named = (piece.slot for pieces in self._parsed.pieces for piece in pieces)
        return tuple(dict.fromkeys(name for name in named if name not in ("", DEMOS)))

    def pieces_of(self, message: int) -> tuple[Piece, ...]:
        """Return the texts and places of a message."""
        return self._parsed.pieces[message]

    @property
    def original_instruction(self) -> str:
        """The instruction that stands in the template."""
        return "".join(piece.text for piece in self._parts(self.instruction.message)[1])

    def place(self, name: str) -> str:
        """Return how the place of a value is written."""
        return f"{{{name}}}" if self.syntax == "format" else f"{{{{ {name} }}}}"

    def with_instruction_at(self, span: Span) -> Self:
        """Return a copy whose instruction stands elsewhere."""
        return replace(self, instruction=span)

    def _parts(self, message: int) -> tuple[Sequence[Piece], Sequence[Piece], Sequence[Piece]]:
        """Return the pieces before, in and after the instruction; all are before it elsewhere."""
        span, pieces = self.instruction, self._parsed.pieces[message]
        if message != span.message:
            return pieces, (), ()
        before, rest = _cut(pieces, span.start)
        inside, after = _cut(rest, span.end - span.start)
        return before, inside, after

    # --- composing ------------------------------------------------------------------------------

    def compose(self, instruction: str, demos: Sequence[ShownDemo]) -> Composed:
        """Return the messages with an instruction and demonstrations.

        Args:
            instruction: The instruction; the template's own one leaves it as it is.
            demos: The demonstrations.
        """
        composed = [
            self._with_instruction(at, instruction) for at in range(len(self._parsed.pieces))
        ]
        messages: list[tuple[Role, tuple[Piece, ...]]] = [
            (role, tuple(pieces))
            for (role, _), (pieces, _) in zip(self.messages, composed, strict=True)
        ]
        pieces, form = composed[-1]
        at = next((at for at, piece in enumerate(pieces) if piece.slot == DEMOS), None)
        call = pieces[form:]
        if at is not None:
            shown = _GAP.join(demo.as_text(call) for demo in demos)
            pieces = [*pieces[:at], *_new(shown), *pieces[at + 1 :]]
        elif self.layout == "text":
            shown = "".join(demo.as_text(call) + _GAP for demo in demos)
            pieces = [*pieces[:form], *_new(shown), *pieces[form:]]
        else:
            turns = [demo.as_turns(call) for demo in demos]
            messages[-1:] = [turn for pair in turns for turn in pair]
            return (*messages, ("user", tuple(pieces)))
        return (*messages[:-1], ("user", tuple(pieces)))

    def _with_instruction(self, message: int, instruction: str) -> tuple[list[Piece], int]:
        """Return a message's pieces, and which of them is the first of the call itself."""
        form = self._parsed.form if message == len(self._parsed.pieces) - 1 else 0
        before, inside, after = self._parts(message)
        if message != self.instruction.message or instruction == self.original_instruction:
            head, call = _cut(self._parsed.pieces[message], form)
            return [*head, *call], len(head)
        # Where the template has no instruction, a blank line follows a new one.
        new = [*_new(instruction if inside else instruction + _GAP)]
        span = self.instruction
        if form >= span.end:
            head, call = _cut(after, form - span.end)
            return [*before, *new, *head, *call], len(before) + len(new) + len(head)
        head, call = _cut(before, min(form, span.start))
        return [*head, *call, *new, *after], len(head)

    def write(self, composed: Composed) -> tuple[tuple[Role, str], ...]:
        """Return the sources of messages: those of a template that renders as they do.

        Raises:
            InputError: The syntax cannot express a text.
        """
        return tuple((role, self._source(pieces)) for role, pieces in composed)

    def _source(self, pieces: Sequence[Piece]) -> str:
        source = ""
        for piece in pieces:
            written = piece.source
            if written is None:
                written = escape_text(piece.text, self.syntax)
            if self.syntax == "jinja" and source.endswith("\r") and written.startswith("\n"):
                source += "{# #}"  # together they would be a single line end
            source += written
        if self.syntax == "jinja" and _rendered(scan_template(source, "jinja")) != _rendered(
            pieces
        ):
            # Jinja leaves out the last line end, which belongs to a text here.
            source += "{# #}" if source.endswith("\r") else "\n"
        return source


@dataclass(frozen=True, slots=True)
class ShownDemo:
    """A demonstration for a template.

    Args:
        write: Returns the text of pieces with its values.
        answer: Its outputs as the model would write them.
    """

    write: Callable[[Sequence[Piece]], str]
    answer: str

    def as_text(self, call: Sequence[Piece]) -> str:
        """Return call and answer as one text."""
        said = self.write(call).rstrip()
        return f"{said}{' ' if said.endswith(':') else chr(10)}{self.answer}"

    def as_turns(self, call: Sequence[Piece]) -> Composed:
        """Return call and answer as turns of a conversation."""
        said = Piece(None, self.write(call))
        return ("user", (said,)), ("assistant", (Piece(None, self.answer),))


def _rendered(pieces: Sequence[Piece]) -> list[str]:
    """Return texts and names, one after the other, for comparison."""
    joined = [""]
    for piece in pieces:
        if piece.slot:
            joined += [piece.slot, ""]
        else:
            joined[-1] += piece.text
    return joined


def _new(text: str) -> tuple[Piece, ...]:
    return (Piece(None, text),) if text else ()


def _cut(pieces: Sequence[Piece], at: int) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Return the pieces before and after an offset in their source.

    Raises:
        InputError: There is something that cannot be cut.
    """
    place = 0
    for index, piece in enumerate(pieces):
        if place == at:
            return pieces[:index], pieces[index:]
        source = piece.source or ""
        if at < place + len(source):
            if not piece.plain:
                raise InputError(f"a part of a template cannot begin within {source!r:.60}")
            text, rest = source[: at - place], source[at - place :]
            head, tail = Piece(text, text, plain=True), Piece(rest, rest, plain=True)
            return (*pieces[:index], head), (tail, *pieces[index + 1 :])
        place += len(source)
    if place != at:
        raise InputError("a part of a template is within the template")
    return pieces, ()


# --- finding the instruction ---------------------------------------------------------------------


def find_instruction(template: Template) -> Span:
    """Return where the instruction of a template most likely stands.

    That is the first system message, up to the paragraph with its first place for a value; else
    the same part of the last message; else the last paragraph after all its places.
    """
    last = len(template.messages) - 1
    for at, (role, _) in enumerate(template.messages):
        if role == "system" and (span := _stripped(template, at, 0, _head_end(template, at))):
            return span
    text = _masked(template.pieces_of(last))
    start = _head_break(text)
    if span := _stripped(template, last, 0, start):
        return span
    after = text.rfind(_SLOT) + 1
    tail = [each.end() for each in _BLANK_LINE.finditer(text, after)]
    if tail and (span := _stripped(template, last, tail[-1], len(text))):
        if not text[: span.end].endswith(":"):
            return span
    return Span(last, start, start)


def _head_end(template: Template, message: int) -> int:
    pieces = template.pieces_of(message)
    if any(piece.slot for piece in pieces):
        return _head_break(_masked(pieces))
    return sum(len(piece.source or "") for piece in pieces)


def _stripped(template: Template, message: int, start: int, end: int) -> Span | None:
    """Return the span without blanks at its ends; ``None`` if nothing is left."""
    text = _masked(template.pieces_of(message))[start:end]
    if not text.strip():
        return None
    before = len(text) - len(text.lstrip())
    return Span(message, start + before, start + len(text.rstrip()))


def _form_start(pieces: Sequence[Piece]) -> int:
    """Return where the call itself begins in a message: what comes before is said once.

    It follows the place for demonstrations, if there is one.
    """
    text = _masked(pieces)
    if _DEMOS not in text:
        return _head_break(text)
    start = text.rindex(_DEMOS) + 1
    return start + len(text[start:]) - len(text[start:].lstrip())


def _head_break(text: str) -> int:
    """Return where the paragraph with the first place begins, with its heading.

    Where there is no blank line, it is the line.
    """
    head = re.split(f"[{_SLOT}{_DEMOS}]", text, maxsplit=1)[0]
    for ends in (_BLANK_LINE, _LINE_END):
        breaks = [match.end() for match in ends.finditer(head)]
        for end in reversed(breaks[-_MOST_HEADINGS:]):
            if not head[:end].rstrip().endswith(":"):
                return end
    return 0


def _masked(pieces: Sequence[Piece]) -> str:
    """Return a message's source with a sign in place of every character that is not plain text."""
    return "".join(_mask(piece) for piece in pieces)


def _mask(piece: Piece) -> str:
    source = piece.source or ""
    if piece.plain:
        return source.translate(_SIGNS)
    if piece.text == "\n":  # a line that ends with a carriage return
        return "\n".rjust(len(source))
    sign = _DEMOS if piece.slot == DEMOS else _SLOT if piece.slot else _OTHER
    return sign * len(source)
