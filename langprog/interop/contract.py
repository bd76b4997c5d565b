"""What every format of another tool is for this package: a name, a reader, a writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.evaluation import Metric, Report
from langprog.example import Example
from langprog.modules import Module


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file of another tool holds.

    Args:
        examples: Its rows; empty if it holds none.
        metrics: The metrics that fit its rows, by the names that ``--metric`` takes; the first is
            the one to begin with.
        program: Its program; ``None`` if it holds none.
        notes: What it means differently here, or what was left out, one sentence each.
    """

    examples: tuple[Example, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=lambda: MappingProxyType({}))
    program: Module | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """What a program is as files of another tool.

    Args:
        text: The file.
        notes: What the file does not say, one sentence each.
    """

    text: str
    notes: tuple[str, ...] = ()


# Reads a file. Takes the path, the program that the file belongs to if it needs one, and options.
Read = Callable[[Path, Module | None, Mapping[str, str]], Imported]
# Writes a program. Takes the program, options, and its evaluation if the format is made of runs.
Write = Callable[[Module, Mapping[str, str], Report | None], Exported]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of another tool.

    Args:
        name: Its name on the command line.
        what: What such a file is, in a few words.
        read: Reads a file; ``None`` if it is only written.
        write: Writes a program; ``None`` if it is only read.
        reads: The options that ``read`` takes, with what each of them says.
        writes: The options that ``write`` takes.
        into: Whether reading needs the program that the file belongs to.
        runs: Whether writing needs an evaluation of the program.
    """

    name: str
    what: str
    read: Read | None = None
    write: Write | None = None
    reads: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    writes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    into: bool = False
    runs: bool = False

    def options_of(self, verb: str) -> Mapping[str, Any]:
        """Return the options for ``read`` or ``write``."""
        return self.reads if verb == "read" else self.writes
