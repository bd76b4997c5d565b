"""A function that a model may call: described, checked, bounded in time and size."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

from langprog.errors import (
    AuthError,
    BudgetExceeded,
    FrozenError,
    InputError,
    LangprogError,
    ModelError,
    ToolError,
    TransportError,
)
from langprog.hints import Hinted, HintedType, Words, with_hints
from langprog.knobs import check_argument, takes_number, takes_whole
from langprog.lm import ToolSpec
from langprog.observe import ToolStarted
from langprog.runtime import call_in_own_thread, is_outage, observe_call
from langprog.tools.functions import Declared, check_name, check_names, read_function
from langprog.tools.results import render_result

# Errors that say nothing about the tool: every further call of a model would raise them as well.
_NOT_OF_THE_TOOL = (BudgetExceeded, AuthError, ModelError)


_ARGUMENTS = "arguments are read from the function's types and docstring"
_ELSEWHERE: Words = MappingProxyType(
    {
        "arg_desc": _ARGUMENTS,
        "arg_types": _ARGUMENTS,
        "args": _ARGUMENTS,
        "desc": "write description=",
        "func": "the function comes first: lp.Tool(function)",
    }
)
_ATTRIBUTES: Words = MappingProxyType(
    {
        "acall": "write await tool.run(arguments)",
        "desc": "write .description",
        "from_langchain": "write lp.Tool(function), with the function behind it",
        "from_mcp_tool": "write `with lp.mcp_tools(command) as tools:`",
        "func": "a tool is called as its function is: tool(...)",
    }
)


class Tool(Hinted, metaclass=HintedType):
    """A function that a model may call.

    Its name, description and arguments are those of the function: types from its annotations,
    words from its docstring, those of the arguments in its section ``Args:``. A model's arguments
    are validated before the function runs.

    Example::

        from typing import Annotated

        import langprog as lp

        def population(city: Annotated[str, "its English name"], year: int = 2024) -> int:
            '''Look up how many people live in a city.'''
            return {"Paris": 2_048_472}[city]

        tool = lp.Tool(population, timeout=10)
        assert tool.description == "Look up how many people live in a city."
        assert tool.parameters["properties"]["city"]["description"] == "its English name"
        assert tool("Paris") == 2_048_472  # the function itself

    Args:
        function: The function, perhaps asynchronous; another one runs in a thread.
        name: Its name for the model; by default the function's.
        description: What it does and when to use it; by default from the docstring.
        timeout: Seconds until a call counts as failed; ``None`` for no limit. An asynchronous
            function is then cancelled; a thread cannot be stopped, but nobody waits for it.
        max_result: Characters of a result that the model sees; the rest is cut off, which is said.

    Raises:
        InputError: It is not a function, an argument has no type or one that cannot be described,
            or another argument is invalid.
    """

    _elsewhere = _ATTRIBUTES

    name: str
    description: str
    timeout: float | None
    max_result: int
    parameters: Mapping[str, Any]
    reference: str
    _check: Callable[[Mapping[str, Any]], dict[str, Any]]
    _function: Callable[..., Any]

    @with_hints(_ELSEWHERE, by_name="write lp.Tool(function, name=..., description=...)")
    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str = "",
        description: str | None = None,
        timeout: float | None = 60.0,
        max_result: int = 20_000,
    ) -> None:
        if description is not None and not isinstance(description, str):
            raise InputError(f"the description of a Tool is a text, not {description!r:.60}")
        if isinstance(function, Tool):
            raise InputError(f"{function.name!r} is a Tool already")
        declared = read_function(function, name, description)
        self._fill(declared, declared.schema, declared.check, function, timeout, max_result)

    @classmethod
    def from_schema(
        cls,
        function: Callable[..., Awaitable[Any]],
        *,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        timeout: float | None = 60.0,
        max_result: int = 20_000,
    ) -> Self:
        """Return a tool whose arguments a JSON schema describes, such as one of a server.

        Of the arguments only the names are checked; the rest is up to the function.

        Args:
            function: Takes the arguments by name; asynchronous.
            name: Its name for the model.
            description: What it does and when to use it.
            parameters: The JSON schema of the arguments, of the type object.
            timeout: As for a Tool.
            max_result: As for a Tool.

        Raises:
            InputError: The schema is not that of an object, or another argument is invalid.
        """
        schema = dict(parameters)
        properties = schema.get("properties", {})
        if schema.get("type") != "object" or not isinstance(properties, Mapping):
            raise InputError(
                f"the parameters of the tool {name!r} are not the schema of an object"
            )
        closed = schema.get("additionalProperties") in (None, False)

        def check(arguments: Mapping[str, Any]) -> dict[str, Any]:
            known = properties if closed else {**dict.fromkeys(arguments), **properties}
            check_names(arguments, known, list(schema.get("required", ())))
            return dict(arguments)

        made = cls.__new__(cls)
        declared = Declared(check_name(name), description, {}, "")
        made._fill(declared, {"properties": {}, **schema}, check, function, timeout, max_result)
        return made

    def _fill(
        self,
        declared: Declared,
        schema: Mapping[str, Any],
        check: Callable[[Mapping[str, Any]], dict[str, Any]],
        function: Callable[..., Any],
        timeout: float | None,
        max_result: int,
    ) -> None:
        place = f"Tool {declared.name!r}"
        check_argument(place, "timeout", timeout, takes_number(0, above=True), optional=True)
        check_argument(place, "max_result", max_result, takes_whole(1))
        values = {
            "name": declared.name,
            "description": declared.description,
            "parameters": MappingProxyType(dict(schema)),
            "reference": declared.reference,
            "timeout": None if timeout is None else float(timeout),
            "max_result": max_result,
            "_check": check,
            "_function": function,
        }
        vars(self).update(values)

    def with_changes(
        self, *, name: str, description: str, timeout: float | None, max_result: int
    ) -> Self:
        """Return a copy of that name, description and limits.

        Raises:
            InputError: A value is invalid.
        """
        new = copy.copy(self)
        declared = Declared(check_name(name), description, {}, self.reference)
        new._fill(declared, self.parameters, self._check, self._function, timeout, max_result)
        return new

    def renamed(self, name: str) -> Self:
        """Return a copy of that name.

        Raises:
            InputError: Endpoints do not accept it.
        """
        return self.with_changes(
            name=name,
            description=self.description,
            timeout=self.timeout,
            max_result=self.max_result,
        )

    def is_same(self, other: Tool) -> bool:
        """Return whether another tool is the same function, seen in the same way."""
        mine, its = vars(self).copy(), vars(other).copy()
        del mine["_check"], its["_check"]  # made anew from the function
        return mine == its

    @property
    def spec(self) -> ToolSpec:
        """What a model sees of it."""
        return ToolSpec(self.name, self.description, self.parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself: unchecked, without a time-out."""
        return self._function(*args, **kwargs)

    async def run(self, arguments: Mapping[str, Any]) -> str:
        """Call the function as a model does, and return the result as text.

        Args:
            arguments: The arguments by name, as plain JSON data.

        Raises:
            ToolError: An argument is wrong, the function raised, or it took too long; the message
                is written for the model.
            BudgetExceeded: A program in the tool has spent the budget; likewise a wrong key or
                model raises its own error.
        """
        with observe_call(
            "tool", lambda call, parent, _: ToolStarted(call, parent, self.name, arguments)
        ) as finish:
            result = await self._run(arguments)
            finish(result)
        return result

    async def _run(self, arguments: Mapping[str, Any]) -> str:
        values = self._check(arguments)
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                result = await self._call(values)
            return render_result(result, self.max_result)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something inside the tool was cancelled, not the program.
            raise ToolError("CancelledError: what it waited for was cancelled") from error
        except ToolError as error:  # raised by the tool itself
            told = render_result(str(error), self.max_result)
            raise ToolError(told, outage=error.outage) from error
        except _NOT_OF_THE_TOOL:
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise ToolError(f"it gave no result within {self.timeout:g} seconds") from None
            if type(error) is LangprogError:  # a program was called in a way that cannot work
                raise
            outage = isinstance(error, TransportError) or is_outage(error)
            told = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise ToolError(render_result(told, self.max_result), outage=outage) from error

    async def _call(self, values: Mapping[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return await self._function(**values)
        result = await call_in_own_thread(self._function, **values)
        return await result if inspect.isawaitable(result) else result

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"a Tool cannot be changed (tried to set {name!r}): make another one")

    def __repr__(self) -> str:
        return f"Tool({self.name!r}, arguments={list(self.parameters['properties'])})"


def make_tools(tools: Iterable[Tool | Callable[..., Any]]) -> tuple[Tool, ...]:
    """Return tools, made of those that are plain functions.

    Raises:
        InputError: It is not a list of tools and functions, or two have the same name.
    """
    if isinstance(tools, (Tool, str, Mapping)) or not isinstance(tools, Iterable):
        raise InputError(
            f"tools= is a list of functions or lp.Tool, not {type(tools).__name__}: write "
            "tools=[look_up]"
        )
    made = tuple(tool if isinstance(tool, Tool) else Tool(tool) for tool in tools)
    names = [tool.name for tool in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"two tools are called {twice!r}: give them different names, "
            "lp.Tool(function, name=...)"
        )
    return made
