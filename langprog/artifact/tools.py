"""The tools of a loaded program: handed over, or imported from a module that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langprog.errors import ArtifactError, InputError
from langprog.modules import Module, NextStep, NextStepNode, Node, ToolData, tool_to_data
from langprog.tools import Tool, make_tools

HandedTools = Sequence[Tool | Callable[..., Any]] | Mapping[str, Tool | Callable[..., Any]]
"""What the caller of ``load`` hands over: tools, or tools and functions by name."""


def tools_of(program: Module) -> dict[str, Tool]:
    """Return the tools of a program, by name.

    Raises:
        ArtifactError: Two different ones have the same name.
    """
    named: dict[str, Tool] = {}
    for step in program.modules_of(NextStep).values():
        for tool in step.tools:
            other = named.setdefault(tool.name, tool)
            if other is not tool and not other.is_same(tool):
                raise ArtifactError(
                    f"two different tools of the program are called {tool.name!r}, and an "
                    "artifact tells them apart by name: lp.Tool(function, name=...)"
                )
    return named


def check_tools(handed: Any) -> None:
    """Refuse what ``tools=`` cannot be.

    Raises:
        ArtifactError: It is not a list or a dict of tools and functions.
    """
    try:
        if not isinstance(handed, Mapping):
            make_tools(handed)
            return
        for name, tool in handed.items():
            if not isinstance(tool, Tool):
                Tool(tool, name=name)
    except InputError as error:
        raise ArtifactError(f"tools=: {error}") from None


def check_tool_names(program: Module, handed: HandedTools) -> None:
    """Refuse a tool that is handed over under a name that the program does not have.

    Raises:
        ArtifactError: There is such a tool.
    """
    if not isinstance(handed, Mapping):
        return  # those of a server, say, of which a program may use a few
    known = tools_of(program)
    for name in handed:
        if name not in known:
            raise ArtifactError(
                f"tools= has {name!r:.60}, but the artifact has {', '.join(known) or 'none'}"
            )


def find_tool(
    data: ToolData, handed: HandedTools, import_function: Callable[[str], Any | None]
) -> Tool:
    """Return the tool that an artifact describes, with the description that was certified.

    Args:
        data: What the artifact knows of it.
        handed: What the caller of ``load`` hands over.
        import_function: Imports ``package.module:function``; returns ``None`` where that is not
            allowed.

    Raises:
        ArtifactError: It is missing, or takes other arguments than the artifact describes.
    """
    given = _take_handed(data.name, handed)
    if given is None and data.function:
        given = import_function(data.function)
    if given is None:
        raise ArtifactError(_ask_for([data]))
    limits: dict[str, Any] = {"timeout": data.timeout, "max_result": data.max_result}
    try:
        tool = given if isinstance(given, Tool) else Tool(given, name=data.name)
        tool = tool.with_changes(name=data.name, description=data.description, **limits)
    except InputError as error:
        raise ArtifactError(f"the tool {data.name!r}: {error}") from None
    described = {**tool_to_data(tool), "function": data.function}
    if described != data.model_dump():
        raise ArtifactError(
            f"the tool {data.name!r} takes other arguments than those that the artifact describes "
            "(their types, defaults or descriptions differ): hand over that one, or compile again"
        )
    return tool


def check_tools_at_hand(node: Node, handed: HandedTools, allows: Callable[[str], bool]) -> None:
    """Refuse to load a program whose tools are not all there, naming each that is missing.

    Args:
        node: The program as data.
        handed: What the caller of ``load`` hands over.
        allows: Whether a module may be imported.

    Raises:
        ArtifactError: A tool is missing.
    """
    missing: dict[str, ToolData] = {}
    for data in _tools_in(node):
        module = data.function.partition(":")[0]
        if _take_handed(data.name, handed) is None and not (module and allows(module)):
            missing[data.name] = data
    if missing:
        raise ArtifactError(_ask_for(list(missing.values())))


def _tools_in(node: Node) -> Iterator[ToolData]:
    if isinstance(node, NextStepNode):
        yield from node.tools
    for part in node.children().values():
        yield from _tools_in(part)


def _take_handed(name: str, handed: HandedTools) -> Any | None:
    if isinstance(handed, Mapping):
        return handed.get(name)
    return next((tool for tool in make_tools(handed) if tool.name == name), None)


def _ask_for(tools: Sequence[ToolData]) -> str:
    """Return which tools are missing, and how to hand them over."""
    listed = [f"{tool.name!r}{f' ({tool.function})' if tool.function else ''}" for tool in tools]
    functions = [tool.function.partition(":")[2] or "..." for tool in tools]
    given = " ".join(
        f"--tool {tool.name}={tool.function or 'package.module:function'}" for tool in tools
    )
    modules = list(dict.fromkeys(tool.function.partition(":")[0] for tool in tools))
    single = len(tools) == 1
    allow = ""
    if all(modules):
        said = " ".join(f"--allow {module}" for module in modules)
        allow = (
            f", or allow {'its' if single else 'their'} import, "
            f"lp.load(path, allow_modules={modules}) or {said}"
        )
    return (
        f"the artifact needs your {'tool' if single else 'tools'} {', '.join(listed)}: pass "
        f"{'it' if single else 'them'}, "
        f"lp.load(path, tools=[{', '.join(dict.fromkeys(functions))}]) or {given}{allow}"
    )
