"""The command line: ``langprog demo|compile|eval|run|show|cache clear|lm serve``.

- ``main``: the entry point; the one place that turns errors into one line and an exit code.
- ``commands``: the commands, imported when called; one file per command.
- ``loading`` finds programs, metrics and data, ``models`` reads model options, ``console`` shows
  progress.
- ``terminal``: the only way to write, so that foreign text cannot control a terminal.
"""

from langprog.cli.main import main

__all__ = ["main"]
