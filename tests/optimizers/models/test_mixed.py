"""Mixed models, a cascade and a vote, compiled on embedded models, run from the artifact."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import langprog as lp
from langprog.artifact import save_program
from langprog.artifact.proof import difference_of
from optimizers import Chain, FrugalCascade, LLMSelector, VoteSize
from programs import tickets
from programs.tickets import metric

DATA = Path(__file__).parents[3] / "programs" / "tickets"
RUN = """
import json, sys
import langprog as lp
program = lp.load(sys.argv[1])
rows = [program(ticket=text) for text in json.loads(sys.argv[2])]
said = [[row.to_dict(), row.usage.calls, [step.path for step in row.trace]] for row in rows]
print(json.dumps(said))
assert "optimizers" not in sys.modules
"""


def test_it_runs_from_its_artifact_alone(tmp_path: Path) -> None:
    parts = tickets.program.children()
    program = lp.Pipeline(
        team=lp.Vote(parts["team"], k=3),
        priority=lp.Cascade.over(parts["priority"], ["pocket/small", "pocket/medium"]),
    )
    search = Chain(
        LLMSelector(models=["pocket/medium"]),
        FrugalCascade(tolerance=0.2),
        VoteSize(samples=20, draws=2, sizes=(1, 3)),
    )
    with lp.using(lm="pocket/small"):
        result = search.compile(
            program,
            lp.load_examples(DATA / "train.jsonl")[:8],
            valset=lp.load_examples(DATA / "validation.jsonl")[:8],
            holdout=lp.load_examples(DATA / "holdout.jsonl")[:5],
            metric=metric,
            accept="best",
        )
    result.save(tmp_path / "found.json")
    assert difference_of(lp.load(tmp_path / "found.json"), result.program) is None
    # Whatever the search found on so few tickets, every kind of part is to travel.
    mixed = result.program.with_parameters(
        {
            "team.k": 3,
            "team.module.model": "pocket/small",
            "priority.tiers": [[0, 0.9], [1, None]],
            "priority.signal": {"signal": "logprob", "quantile": 0.0},
        }
    )
    save_program(mixed, tmp_path / "mixed.json")
    texts = [one.ticket for one in lp.load_examples(DATA / "holdout.jsonl")[:2]]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "mixed.json"), json.dumps(texts)],
        capture_output=True,
        text=True,
        check=True,
    )
    there = json.loads(done.stdout)
    here = [mixed(ticket=text) for text in texts]
    assert there == [
        [row.to_dict(), row.usage.calls, [step.path for step in row.trace]] for row in here
    ]
    paths = {path for _, _, found in there for path in found}
    assert paths >= {"team.module", "priority.steps[0]", "priority"}
    data = json.loads((tmp_path / "mixed.json").read_text())
    assert set(data["models"]) == {"pocket/small", "pocket/medium"}
