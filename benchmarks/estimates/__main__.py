"""The command line of the measurements of estimates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks import estimates
from benchmarks.estimates.aggregates import measure_batches
from benchmarks.estimates.joined import measure_joined, measure_shifts
from benchmarks.estimates.judges import measure_judges
from benchmarks.measured import RESULTS, Checkpoint, machine, publish, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data

SECTIONS: Mapping[str, tuple[str, Callable[[Path, int, Checkpoint], str]]] = MappingProxyType(
    {
        "judges": ("## Means from judges", measure_judges),
        "batches": ("## Means of batches", measure_batches),
        "joined": ("## Judges joined", measure_joined),
        "shifts": ("## Accuracy on rows of another kind", measure_shifts),
    }
)
NAME = "estimates"


def main(arguments: list[str]) -> None:
    """Measure the sections that are named, or all, and publish them."""
    parser = argparse.ArgumentParser(description=estimates.__doc__, prog="benchmarks.estimates")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--keep", type=Path, default=Path("estimates.jsonl"))
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]}: there are {', '.join(SECTIONS)}")
    for name in options.sections or SECTIONS:
        heading, measure = SECTIONS[name]
        text = measure(folder, options.draws, Checkpoint(options.keep))
        texts = _read()
        texts[heading] = f"{_place(name, options.draws)}\n\n{text}"
        publish(NAME, _join(texts))


def _place(name: str, draws: int) -> str:
    return (
        f"`python -m benchmarks.estimates {name} --draws {draws}`; {machine()}; "
        f"{versions('langprog', 'numpy')}."
    )


def _read() -> dict[str, str]:
    """Return the sections that were published before, by heading."""
    path = RESULTS / f"{NAME}.md"
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    texts = {}
    for part in known.split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        texts[f"## {heading}"] = text.strip()
    return texts


def _join(texts: Mapping[str, str]) -> str:
    order = [heading for heading, _ in SECTIONS.values()]
    sections = [f"{heading}\n\n{texts[heading]}" for heading in order if heading in texts]
    return "\n\n".join(["# Means with few labels", *sections])


if __name__ == "__main__":
    main(sys.argv[1:])
