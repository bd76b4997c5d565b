"""A compile as a run of Weights & Biases: its scores, what it spent, and its artifact.

pip install wandb && python examples/tracking/with_wandb.py    # WANDB_MODE=offline: no account
"""

import wandb

import langprog as lp
from optimizers import BootstrapRandomSearch
from optimizers.events import Estimated, Finished, Message, SpendUpdated, StageStarted, Tried
from programs.tickets import metric, program, records


class WandbProgress:
    """Logs the events of a compile to a run."""

    def __init__(self, run: "wandb.Run") -> None:
        self.run = run

    def on(self, event: object) -> None:
        match event:
            case Estimated():
                self.run.config["estimate"] = str(event)
            case StageStarted():
                self.run.summary["stage"] = event.stage
            case Tried():
                self.run.log({"score": event.score.mean, "best": event.best})
            case SpendUpdated():
                self.run.log({"calls": event.paid.calls, "dollars": event.paid.dollars})
            case Message(warning=True):
                self.run.summary["warning"] = event.text
            case Finished():
                self.run.summary["verdict"] = event.verdict


if __name__ == "__main__":
    with lp.using(lm="pocket/small"), wandb.init(project="tickets") as run:
        compiled = BootstrapRandomSearch(sets=2).compile(
            program,
            lp.load_examples(records("train")),
            metric=metric,
            budget=lp.Budget(calls=500),
            progress=WandbProgress(run),
        )
        lp.save(compiled.program, "triage.json")
        run.log_artifact("triage.json", type="program")
