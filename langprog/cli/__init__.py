"""The command line: ``langprog demo|compile|eval|run|show|cache clear|lm serve``.

- ``main``: the entry point; the one place that turns errors into one line and an exit code.
- ``commands``: what there is, imported when called; one file a command.
- ``loading`` finds programs, metrics and data, ``console`` shows progress.
- ``terminal``: where every command writes, so that no text of others steers a terminal.
"""

from langprog.cli.main import main

__all__ = ["main"]
