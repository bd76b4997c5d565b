"""The last calls of a log, for ``langprog show --last``."""

from __future__ import annotations

from typing import Any

from langprog.cli.shortening import Shortener
from langprog.cli.terminal import Terminal, write_json
from langprog.errors import InputError
from langprog.observe import read_calls

# Characters of a text.
MOST = 3000


def show_calls(number: str, log: str, texts: Shortener, *, as_json: bool) -> None:
    """Print the last calls of a log, oldest first.

    Args:
        number: How many.
        log: The log's path.
        texts: Cuts long texts.
        as_json: Whether to print a list of entries instead of text.

    Raises:
        InputError: The number or the log is wrong.
    """
    if not number.isdecimal() or not int(number):
        raise InputError(f"--last takes how many calls, 1 or more, not {number!r}")
    if not log:
        raise InputError(
            "--last needs a log: run the program with LANGPROG_LOG=FILE, then show it with "
            "--log FILE, or with LANGPROG_LOG set as well"
        )
    entries = read_calls(log, int(number))
    if as_json:
        write_json(entries)
        return
    terminal = Terminal()
    if not entries:
        terminal.say("the log has no calls")
    for entry in entries:
        _show_call(terminal, entry, texts)
    if texts.has_cut:
        terminal.say("Long texts are cut: --full shows them.")


def _show_call(terminal: Terminal, entry: dict[str, Any], texts: Shortener) -> None:
    def say(title: str, text: object) -> None:
        terminal.say(f"[{title}]\n{texts.cut(str(text), MOST)}\n")

    place = f" for {entry['path']}" if entry.get("path") else ""
    terminal.say(
        f"{entry.get('time', '')}  {entry.get('kind', 'call')} {entry.get('name', '')}{place}",
        bold=True,
    )
    for message in entry.get("messages") or ():
        say(message.get("role"), message.get("content"))
    if "arguments" in entry:
        say("arguments", entry["arguments"])
    for thought in entry.get("reasoning") or ():
        say("reasoning", thought)
    for text in entry.get("texts") or ():
        say("reply", text)
    for call in entry.get("tool_calls") or ():
        say("tool call", f"{call.get('name')} {call.get('arguments')}")
    if "result" in entry:
        say("result", entry["result"])
    if "error" in entry:
        say(entry["error"], entry.get("message", ""))
    terminal.say(f"{', '.join(_cost_of(entry))}\n")


def _cost_of(entry: dict[str, Any]) -> list[str]:
    cost = [f"{entry.get('seconds', 0.0):.2f} s"]
    if "prompt_tokens" in entry:
        cost.append(f"{entry['prompt_tokens']} + {entry.get('completion_tokens', 0)} tokens")
    if entry.get("dollars"):
        cost.append(f"${entry['dollars']:.6f}")
    if entry.get("cached"):
        cost.append("cached")
    if entry.get("finish_reason", "stop") != "stop":
        cost.append(f"ended with {entry['finish_reason']}")
    return cost
