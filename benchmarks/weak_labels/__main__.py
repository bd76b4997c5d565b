"""The command line of the measurements of weak labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import weak_labels
from benchmarks.labels import FEW, WEAK
from benchmarks.measured import Checkpoint, machine, publish_section, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data
from benchmarks.weak_labels.compiles import format_compiles
from benchmarks.weak_labels.texts import format_texts
from langprog.errors import InputError

ABOUT = (
    "Rules, and an old model that was fitted to other labels, vote on a pool of texts; "
    "`label_weakly` joins the votes, and the rows that it labels go into the train part beside "
    "those with true labels. The rules were written from the names of the labels, before any row "
    "was read, and were not changed after they were measured: 13 for TREC, 8 for SST-2. No "
    "language model: a logistic regression on words stands in for the program, as above. Labels "
    "less likely than 0.7, as estimated, are left out, except with `least=0`. 95 % bootstrap "
    "intervals over the seeds, in which the texts, the true labels and the old model's are drawn "
    "anew; the test texts and the rules are the same."
)


def main(arguments: list[str]) -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(
        description=weak_labels.__doc__, prog="benchmarks.weak_labels"
    )
    parser.add_argument("--seeds", type=int, default=20, help="of the texts")
    parser.add_argument("--compiles", type=int, default=3, help="seeds of the compiles; 0: none")
    parser.add_argument("--keep", type=Path, default=Path("weak_labels.jsonl"))
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    if options.seeds < 2 or options.compiles == 1:
        raise InputError("--seeds, --compiles: two are the fewest, as intervals are over them")
    kept = Checkpoint(options.keep)
    texts = format_texts(folder, range(options.seeds), kept)
    parts = [format_compiles(range(options.compiles), kept)] if options.compiles else []
    if 0 < options.compiles < 10:
        parts.append(FEW)
    publish_section(
        "labels",
        WEAK,
        f"`python -m benchmarks.weak_labels --seeds {options.seeds} --compiles "
        f"{options.compiles}`; {machine()}; {versions('langprog', 'scikit-learn', 'numpy')}; "
        f"{options.seeds} seeds of the texts. " + "\n\n".join([ABOUT, texts, *parts]),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
