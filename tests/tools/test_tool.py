from __future__ import annotations

import asyncio
import functools
import inspect
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

import langprog as lp
from langprog.errors import BudgetExceeded, FrozenError, InputError, LangprogError, ToolError
from langprog.lm import ToolSpec
from langprog.tools import make_tools


class Unit(Enum):
    KM = "km"
    MILES = "miles"


class Place(BaseModel):
    city: str
    country: str = "France"


def distance(
    start: Place, end: Place, unit: Unit = Unit.KM, via: list[str] | None = None
) -> dict[str, Any]:
    """Measure the way between two places.

    Args:
        start: Where it begins.
        via: Stops on the way.
    """
    assert isinstance(start, Place) and isinstance(unit, Unit)
    return {"from": start.city, "to": end.city, "unit": unit.value, "stops": len(via or ())}


def run(tool: lp.Tool, **arguments: Any) -> str:
    return asyncio.run(tool.run(arguments))


def test_the_function_describes_itself() -> None:
    tool = lp.Tool(distance)
    assert (tool.name, tool.description) == ("distance", "Measure the way between two places.")
    assert tool.reference == f"{__name__}:distance"
    schema = tool.parameters
    assert schema["required"] == ["start", "end"]
    assert schema["properties"]["start"]["description"] == "Where it begins."
    assert schema["properties"]["unit"] == {
        "type": "string",
        "enum": ["km", "miles"],
        "default": "km",
    }
    assert schema["properties"]["via"]["default"] is None
    assert tool.spec == ToolSpec("distance", tool.description, schema)
    assert repr(tool) == "Tool('distance', arguments=['start', 'end', 'unit', 'via'])"


def test_arguments_come_as_their_types() -> None:
    told = run(
        lp.Tool(distance), start={"city": "Lyon"}, end={"city": "Nice"}, unit="MILES", via=["Gap"]
    )
    assert told == '{"from": "Lyon", "to": "Nice", "unit": "miles", "stops": 1}'


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "the argument 'start', 'end' is missing; it takes start, end, unit, via"),
        ({"start": {}, "begin": 1}, "there is no argument 'begin'; it takes start"),
        ({"start": {"city": "x"}, "end": 7}, "'end' is '7', but must be"),
        ({"start": {}, "end": {"city": "x"}, "unit": "feet"}, "'start'.*city.*; 'unit' is 'feet'"),
    ],
)
def test_wrong_arguments_are_told_in_words(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolError, match=words) as caught:
        run(lp.Tool(distance), **arguments)
    assert not caught.value.outage


def test_limits_and_words_may_stand_in_the_annotation() -> None:
    def pick(
        count: Annotated[int, Field(ge=1, description="how many")],
        kind: Annotated[Literal["a", "b"], "which kind"] = "a",
    ) -> str:
        return f"{count}{kind}"

    tool = lp.Tool(pick)
    assert tool.parameters["properties"]["count"] == {
        "type": "integer",
        "minimum": 1,
        "description": "how many",
    }
    assert tool.parameters["properties"]["kind"]["description"] == "which kind"
    assert run(tool, count="3") == "3a"
    with pytest.raises(ToolError, match="'count'"):
        run(tool, count=0)


def test_any_python_name_can_be_an_argument() -> None:
    def total(items: list[int], _scale: int = 1, keys: str = "") -> int:
        return sum(items) * _scale

    tool = lp.Tool(total)
    assert list(tool.parameters["properties"]) == ["items", "_scale", "keys"]
    assert run(tool, items=[1, 2], _scale=2) == "6"
    with pytest.raises(ToolError, match="^'items' is"):
        run(tool, items="x")


def untyped(query, k: int = 3):  # type: ignore[no-untyped-def]  # the point of the test
    return query


def starred(*queries: str) -> str:
    return ""


def keyed(**options: str) -> str:
    return ""


def positional(query: str, /) -> str:
    return query


def unknown(query: complex) -> str:
    return ""


def picture(image: lp.Image) -> str:
    return ""


def unfit(count: int = None) -> str:  # type: ignore[assignment]  # the point of the test
    return ""


def unresolved(query: Missing) -> str:  # type: ignore[name-defined]  # noqa: F821 - the point
    return ""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (untyped, "the argument 'query' of the tool 'untyped' has no type: write query: str"),
        (starred, r"'starred' takes \*queries, which cannot be described to a model"),
        (keyed, r"'keyed' takes \*\*options, which cannot"),
        (positional, "'positional' takes 'query' by position only"),
        (unknown, "the tool 'unknown': argument 'query' has the type complex"),
        (picture, "'image' of the tool 'picture' is an image, a sound, a file or a conversation"),
        (unfit, "the tool 'unfit': the default of 'count' does not fit"),
        (unresolved, "the types of the tool 'unresolved' cannot be resolved: name 'Missing'"),
        (lambda query: query, "a tool cannot be called '<lambda>'"),
        (Place, "a Tool is made of a function, not of <class"),
        ("search", "a Tool is made of a function, not of 'search'"),
        (lp.Tool(distance), "'distance' is a Tool already"),
        (dict.fromkeys, "the tool 'fromkeys' takes 'iterable' by position only"),
    ],
)
def test_what_cannot_be_a_tool_is_refused(function: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.Tool(function)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_result": 0}, "max_result"),
        ({"name": "look up"}, "a tool cannot be called 'look up'"),
        ({"name": "x" * 65}, "1 to 64 letters"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.Tool(distance, **options)


def test_names_must_differ() -> None:
    assert [tool.name for tool in make_tools([distance, lp.Tool(distance, name="way")])] == [
        "distance",
        "way",
    ]
    with pytest.raises(InputError, match="two tools are called 'distance'"):
        make_tools([distance, distance])
    with pytest.raises(InputError, match="is a list of functions or lp.Tool, not Tool"):
        make_tools(lp.Tool(distance))  # type: ignore[arg-type]  # the point of the test


def test_a_tool_is_the_function_too_and_never_changes() -> None:
    tool = lp.Tool(distance)
    assert tool(Place(city="a"), Place(city="b"))["unit"] == "km"
    with pytest.raises(FrozenError):
        tool.timeout = 3


class Shop:
    def __init__(self, stock: int) -> None:
        self.stock = stock

    def count(self, item: str) -> int:
        return self.stock

    async def __call__(self, item: str) -> int:
        return self.stock + 1


def test_methods_partials_and_objects_are_functions() -> None:
    shop = Shop(3)
    assert run(lp.Tool(shop.count), item="x") == "3"
    assert lp.Tool(shop.count).reference == ""
    assert run(lp.Tool(shop, name="shop"), item="x") == "4" and lp.Tool(shop).name == "Shop"
    assert run(lp.Tool(functools.partial(distance, end=Place(city="b"))), start={"city": "a"})


def failing(error: BaseException) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "words", "outage"),
    [
        (ValueError("no such row"), "ValueError: no such row", False),
        (KeyError(), "KeyError", False),
        (StopIteration(3), "RuntimeError: .*fail raised StopIteration", False),
        (ConnectionRefusedError("down"), "ConnectionRefusedError: down", True),
        (TimeoutError("read timed out"), "TimeoutError: read timed out", True),
        (lp.errors.ServerError("503"), "ServerError: 503", True),
        (lp.errors.ParseError("unreadable"), "ParseError: unreadable", False),
        (RuntimeError("x" * 1_000_000), "RuntimeError: x+\n.cut off", False),
    ],
)
def test_an_error_is_told_and_outages_are_told_apart(
    error: BaseException, words: str, outage: bool
) -> None:
    with pytest.raises(ToolError, match=f"^{words}") as caught:
        run(lp.Tool(failing(error)))
    assert caught.value.outage is outage
    assert len(str(caught.value)) < 21_000


@pytest.mark.parametrize(
    "error",
    [
        BudgetExceeded("spent"),
        lp.errors.AuthError("wrong key"),
        LangprogError("called wrongly"),
        KeyboardInterrupt(),
        SystemExit(3),
    ],
)
def test_what_is_not_about_the_tool_passes_through(error: BaseException) -> None:
    async def fail() -> str:
        raise error

    with pytest.raises(type(error)):
        run(lp.Tool(fail))
    with pytest.raises(type(error)):
        run(lp.Tool(failing(error)))


def test_what_is_cancelled_inside_a_tool_does_not_cancel_the_program() -> None:
    async def wait() -> str:
        waiting = asyncio.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(waiting.cancel)
        await waiting
        return "done"

    with pytest.raises(ToolError, match="^CancelledError: what it waited for was cancelled"):
        run(lp.Tool(wait))

    async def leave() -> bool:
        task = asyncio.create_task(lp.Tool(asyncio.Event().wait, name="wait").run({}))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(leave())


def test_a_result_that_cannot_be_written_down_is_the_tools_error() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("not today")

    def make() -> Any:
        return Odd()

    with pytest.raises(ToolError, match="^ValueError: not today"):
        run(lp.Tool(make))


def test_a_tool_that_hangs_is_left_behind() -> None:
    stop, started = threading.Event(), threading.Event()

    def hang() -> str:
        started.set()
        stop.wait()
        return "late"

    try:
        with pytest.raises(ToolError, match=r"^it gave no result within 0.05 seconds$") as caught:
            run(lp.Tool(hang, timeout=0.05))
        assert started.is_set() and not caught.value.outage
    finally:
        stop.set()


def test_an_asynchronous_tool_is_cancelled_in_time() -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(ToolError, match="no result within"):
        run(lp.Tool(hang, timeout=0.01))
    assert ended == ["cancelled"]


def test_an_end_of_the_process_does_not_wait_for_a_tool_that_hangs() -> None:
    code = """
        import asyncio, threading
        import langprog as lp
        from langprog.errors import ToolError

        def hang() -> str:
            threading.Event().wait()

        try:
            asyncio.run(lp.Tool(hang, timeout=0.01).run({}))
        except ToolError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("it gave no result within 0.01 seconds\n", 0)


def test_a_tool_of_a_schema_checks_names() -> None:
    async def call(**arguments: Any) -> str:
        return repr(arguments)

    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    tool = lp.Tool.from_schema(call, name="search", description="Search.", parameters=schema)
    assert run(tool, q="x") == "{'q': 'x'}"
    assert tool.reference == ""
    with pytest.raises(ToolError, match="there is no argument 'k'; it takes q"):
        run(tool, q="x", k=1)
    with pytest.raises(ToolError, match="the argument 'q' is missing"):
        run(tool)
    with pytest.raises(InputError, match="not the schema of an object"):
        lp.Tool.from_schema(call, name="search", description="", parameters={"type": "string"})


def test_the_example_in_the_docstring_runs() -> None:
    doc = inspect.getdoc(lp.Tool) or ""
    example = doc.partition("Example::\n")[2].partition("\nArgs:")[0]
    assert "assert" in example
    exec(textwrap.dedent(example), {})
