"""Run by ``make package`` in an empty environment: what is installed there is whole."""

from __future__ import annotations

import importlib.metadata
import sys
from importlib import resources
from pathlib import Path

import langprog as lp
from optimizers import LabeledFewShot
from programs import tickets


def main() -> None:
    """Compile on the embedded model, save, load and ask; fail where a file is missing."""
    assert "site-packages" in str(Path(str(lp.__file__))), lp.__file__
    for package in ("langprog", "optimizers", "programs"):
        assert resources.files(package).joinpath("py.typed").is_file(), package
    examples = lp.load_examples(tickets.records("train"))
    with lp.using(lm="pocket/small"):
        compiled = LabeledFewShot(k=4).compile(
            tickets.program, examples[:40], metric=tickets.metric, accept="best"
        )
    compiled.report.save("installed.html")
    compiled.save("installed.json")
    answer = lp.load("installed.json")(ticket="my invoice is wrong")
    version = importlib.metadata.version("langprog")
    sys.stdout.write(f"langprog {version}: {compiled.certificate.verdict}, {answer.team}\n")


if __name__ == "__main__":
    main()
