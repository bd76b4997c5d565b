"""What each version of each adapter renders, as files; the README in ``golden/`` says more."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

import langprog as lp
from langprog.adapters import ADAPTERS, Adapter
from langprog.lm import Message, ToolCall, ToolResult
from langprog.signature import SignatureSpec, signature_of

GOLDEN = Path(__file__).parent / "golden"


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Item(pydantic.BaseModel):
    name: str = pydantic.Field(description="as printed")
    price: float = pydantic.Field(ge=0)
    tags: list[str] = []


@dataclasses.dataclass
class Place:
    city: str
    zip: int | None = None


class Sorting(lp.Signature):
    """Decide which shelf the parcel belongs on."""

    label: str = lp.Input("the text on the parcel")
    shelf: Literal["north wing", "south", 3, True, None] = lp.Output("where it goes")


class Every(lp.Signature):
    """Fill in the form.

    Leave nothing out.
    """

    page: str = lp.Input("the scanned page")
    hints: dict[str, list[int]] = lp.Input()
    before: Place | None = lp.Input("where it came from")
    text: str = lp.Output(min_length=1, max_length=400)
    count: int = lp.Output("how many", ge=0, lt=100)
    share: float = lp.Output(gt=0)
    sure: bool = lp.Output()
    level: Level = lp.Output()
    perhaps: int | None = lp.Output()
    words: list[str] = lp.Output()
    totals: dict[str, float] = lp.Output()
    bought: list[Item] = lp.Output("line by line")
    place: Place = lp.Output()
    code: Annotated[str, pydantic.Field(pattern="^[A-Z]+$")] = lp.Output()


CALL = {
    "page": ' a "quoted" page\nwith [[text]], <text>tags</text> & ünïcode 🙂',
    "hints": {"a": [1, 2]},
    "before": Place("Ulm"),
}
FULL = {
    **CALL,
    "text": "two\nlines \\ [[count]] </text> &amp; <b>bold</b> {x}",
    "count": 7,
    "share": 0.5,
    "sure": False,
    "level": Level.HIGH,
    "perhaps": None,
    "words": ["x", "[[y]]", "<count>"],
    "totals": {"a": 1.0},
    "bought": [Item(name="tea", price=2.5, tags=["hot"])],
    "place": Place("Bonn", 53111),
    "code": "ABC",
}

Shown = tuple[SignatureSpec, list[lp.Example], dict[str, Any]]

# The name of each file, with a signature, demonstrations and the inputs of the call.
SHOWN: dict[str, Shown] = {
    "short": (signature_of("question -> answer"), [], {"question": "why?"}),
    "strings": (
        signature_of("a: Optional[str] -> b: Optional[str], c"),
        [
            lp.Example(a=text, b=text, c="" if text is None else text)
            for text in (None, "", " ", "null", '"x"', "```\ny\n```", "<c>", "[[c]]", "{}", "1")
        ],
        {"a": "</a>"},
    ),
    "sorting": (
        Sorting.spec,
        [
            lp.Example(label="fragile", shelf="north wing"),
            lp.Example(label="3 <kg>", shelf=3),
            lp.Example(label="", shelf=None),
            lp.Example(shelf=True),
        ],
        {"label": "books"},
    ),
    "every": (Every.spec, [lp.Example(**FULL), lp.Example(page="p", text="t", count=1)], CALL),
}


def path_of(reference: str, name: str) -> Path:
    """Where the file of an adapter's version and a signature lies."""
    return GOLDEN / f"{reference}-{name}.json"


def rendered(adapter: Adapter, name: str) -> str:
    """Everything that an adapter adds to a request, as readable JSON."""
    signature, demos, inputs = SHOWN[name]
    data = {
        "messages": [_message(item) for item in adapter.render(signature, demos, inputs)],
        "response_schema": adapter.response_schema(signature),
        "tools": [dataclasses.asdict(tool) for tool in adapter.tools(signature)],
        "tool_choice": adapter.tool_choice(signature),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _message(message: Message) -> dict[str, Any]:
    content = message.content
    if isinstance(content, str):
        return {"role": message.role, "content": content}
    parts = []
    for part in content:
        assert isinstance(part, (ToolCall, ToolResult))
        parts.append({"part": type(part).__name__, **dataclasses.asdict(part)})
    return {"role": message.role, "content": parts}


def missing() -> Iterator[tuple[Path, str]]:
    """Files that are not there, with what belongs in them."""
    for reference, adapter in ADAPTERS.items():
        for name in SHOWN:
            path = path_of(reference, name)
            if not path.exists():
                yield path, rendered(adapter, name)


if __name__ == "__main__":
    for path, text in missing():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path}")  # noqa: T201 - this is a command
