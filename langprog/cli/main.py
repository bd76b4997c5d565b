"""The entry point: exit code 0 when done, 1 when a check failed, 2 for bad usage or input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

import typer

from langprog.cli.commands import NAME, make_application
from langprog.cli.terminal import Terminal, guard_process, trace_of
from langprog.errors import LangprogError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    guard_process()
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; bad input is one line, no traceback."""
    command = typer.main.get_command(make_application())
    try:
        result = command.main(arguments, prog_name=NAME, standalone_mode=False)
        code = result if isinstance(result, int) else 0
        # typer turns Ctrl-C into an exit code.
        return _report_interrupt() if code == INTERRUPTED else code
    except typer.TyperException as error:
        return _report_error(f"{error.format_message()} (langprog --help)")
    except (KeyboardInterrupt, typer.Abort):
        return _report_interrupt()
    except typer.Exit as error:
        return int(error.exit_code)
    except LangprogError as error:
        return _report_error(str(error))
    except BrokenPipeError:
        # The reader (head, less) has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _report_error(f"{where}{error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - the last place to turn a bug into one line
        if os.environ.get("LANGPROG_DEBUG"):
            Terminal(stderr=True).say(trace_of(error))
        return _report_error(
            f"unexpected {type(error).__name__}: {error} (LANGPROG_DEBUG=1 shows where)"
        )


def _report_interrupt() -> int:
    return _report("interrupted; run the same command again to continue", INTERRUPTED)


def _report_error(message: str) -> int:
    return _report(message, 2)


def _report(message: str, code: int) -> int:
    # Other whitespace may control the terminal, so it is escaped.
    line = re.sub(r"[ \t\r\n]+", " ", message).strip(" ")
    Terminal(stderr=True).say(f"langprog: {line}")
    return code
