"""A compile as a run of MLflow: its scores while it searches, what it spent, and its artifact.

pip install mlflow-skinny && python examples/tracking/with_mlflow.py
mlflow ui --backend-store-uri sqlite:///mlflow.db    # of the full package
"""

import mlflow

import langprog as lp
from optimizers import BootstrapRandomSearch
from optimizers.events import Estimated, Finished, Message, SpendUpdated, StageStarted, Tried
from programs.tickets import metric, program, records


class MLflowProgress:
    """Logs the events of a compile to the run that is active."""

    def __init__(self) -> None:
        self.tried = 0

    def on(self, event: object) -> None:
        match event:
            case Estimated():
                mlflow.log_param("estimate", str(event)[:500])
            case StageStarted():
                mlflow.set_tag("stage", event.stage)
            case Tried():
                self.tried += 1
                mlflow.log_metric("score", event.score.mean, step=self.tried)
            case SpendUpdated():
                mlflow.log_metric("calls", event.paid.calls)
                mlflow.log_metric("dollars", event.paid.dollars)
            case Message(warning=True):
                mlflow.set_tag("warning", event.text)
            case Finished():
                mlflow.set_tag("verdict", event.verdict)


if __name__ == "__main__":
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("tickets")
    with lp.using(lm="pocket/small"), mlflow.start_run():
        compiled = BootstrapRandomSearch(sets=2).compile(
            program,
            lp.load_examples(records("train")),
            metric=metric,
            budget=lp.Budget(calls=500),
            progress=MLflowProgress(),
        )
        lp.save(compiled.program, "triage.json")
        mlflow.log_artifact("triage.json")
