"""Train and export the embedded models (``python -m langprog.pocket.training``)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        prog="python -m langprog.pocket.training", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, or go on from the last checkpoint")
    train.add_argument("--folder", type=Path, required=True, help="for checkpoints and the log")
    train.add_argument("--size", default="small", choices=["small", "medium", "large"])
    train.add_argument("--start", type=Path, help="run to grow from, of this or a smaller size")
    train.add_argument("--tokens", type=float, default=28e6, help="of the mix")
    train.add_argument("--threads", type=int, default=2)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--rate", type=float, default=1.5e-3)
    ship = commands.add_parser("export", help="write weights and vocabulary from a checkpoint")
    ship.add_argument("--folder", type=Path, required=True)
    ship.add_argument("--out", type=Path, required=True, help="folder of the weights")
    ship.add_argument("--name", default="small")
    given = parser.parse_args()
    # torch is an extra, and slow to load: --help works without it.
    from langprog.pocket.training.export import export
    from langprog.pocket.training.grow import grow
    from langprog.pocket.training.train import SIZES, Plan, Trainer

    if given.command == "export":
        sys.stdout.write(f"{export(given.folder, given.out, given.name)}\n")
    else:
        layers, width, hidden = SIZES[given.size]
        plan = Plan(
            tokens=given.tokens,
            threads=given.threads,
            seed=given.seed,
            rate=given.rate,
            layers=layers,
            width=width,
            hidden=hidden,
        )
        if given.start and not (given.folder / "checkpoint.pt").exists():
            grow(given.start, given.folder, plan)
        Trainer(plan, given.folder).run()


if __name__ == "__main__":
    main()
