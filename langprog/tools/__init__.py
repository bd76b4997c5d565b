"""Tools: functions that a model may call.

- ``tool``: :class:`Tool`: a described, validated, bounded function.
- ``functions``: reading a Python function; ``docstrings``: the words in its docstring.
- ``mcp_client``: the tools of an MCP server.
- ``results``: what a tool returned, as text of bounded size.
"""

from langprog.tools.functions import TOOL_NAME
from langprog.tools.mcp_client import MCPTools, mcp_tools
from langprog.tools.results import render_result
from langprog.tools.tool import Tool, make_tools

__all__ = ["MCPTools", "TOOL_NAME", "Tool", "make_tools", "mcp_tools", "render_result"]
