"""The command line of the measurements of compiled judges."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import judge_align
from benchmarks.judge_align.embedded import format_embedded
from benchmarks.judge_align.recorded import format_recorded
from benchmarks.measured import Checkpoint, machine, publish, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.errors import InputError

FEW = "Intervals over so few seeds are rough, and rather too narrow."


def main(arguments: list[str]) -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(
        description=judge_align.__doc__, prog="benchmarks.judge_align"
    )
    parser.add_argument("--seeds", type=int, default=5, help="of the embedded judge")
    parser.add_argument("--splits", type=int, default=10, help="of the recorded judges")
    parser.add_argument("--keep", type=Path, default=Path("judge_align.jsonl"))
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    if min(options.seeds, options.splits) < 2:
        raise InputError("--seeds, --splits: two are the fewest, as intervals are over them")
    kept = Checkpoint(options.keep)
    embedded = format_embedded(range(options.seeds), kept)
    recorded = format_recorded(folder, range(options.splits), kept)
    publish(
        "judge_align",
        "# Judges compiled on few labels\n\n"
        f"`python -m benchmarks.judge_align --seeds {options.seeds} --splits {options.splits}`; "
        f"{machine()}; {versions('langprog', 'numpy', 'optuna')}; means with 95 % bootstrap "
        "intervals over seeds. A compile ships the judge as it was where no gain is certified, "
        "and such judges are in the means. Gains: over the uncompiled judge on the same pairs. "
        "A claimed gain is none where the certified judge is not better on the fresh pairs."
        + (f" {FEW}" if min(options.seeds, options.splits) < 10 else "")
        + f"\n\n## A hidden taste, on the embedded model\n\n{embedded}\n\n"
        f"## Recorded judges\n\n{recorded}",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
