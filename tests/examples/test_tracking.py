"""Compiles as runs of MLflow and Weights & Biases, in the real packages' local stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.running import EXAMPLES


def run_script(name: str, folder: Path, **environment: str) -> None:
    known = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    subprocess.run(
        [sys.executable, str(EXAMPLES / "tracking" / name)],
        cwd=folder,
        env={
            **known,
            "PYTHONPATH": str(EXAMPLES.parent),
            "LANGPROG_CACHE": "off",
            **environment,
        },
        check=True,
        capture_output=True,
    )


def read_in_process(code: str, folder: Path) -> dict[str, object]:
    """Run code in a process of its own, as these packages change the one they are imported in."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    data: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return data


READ_MLFLOW = """
import json, mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
(experiment,) = client.search_experiments(filter_string="name = 'tickets'")
(run,) = client.search_runs([experiment.experiment_id])
scores = client.get_metric_history(run.info.run_id, "score")
print(json.dumps({
    "status": run.info.status,
    "metrics": run.data.metrics,
    "tags": run.data.tags,
    "params": run.data.params,
    "steps": [point.step for point in scores],
    "artifacts": [file.path for file in client.list_artifacts(run.info.run_id)],
}))
"""


def test_mlflow(tmp_path: Path) -> None:
    # The full package, or mlflow-skinny with sqlalchemy.
    pytest.importorskip("mlflow", reason="mlflow is not installed: pip install mlflow-skinny")
    run_script("with_mlflow.py", tmp_path, MLFLOW_DISABLE_TELEMETRY="true")
    run = read_in_process(READ_MLFLOW, tmp_path)
    metrics, tags = run["metrics"], run["tags"]
    assert isinstance(metrics, dict) and isinstance(tags, dict)
    assert run["status"] == "FINISHED"
    assert 0 < metrics["score"] <= 1 and 0 < metrics["calls"] <= 500
    assert run["steps"] == [1, 2]
    assert tags["stage"] == "certify" and tags["verdict"] in ("certified", "original")
    assert run["artifacts"] == ["triage.json"]
    assert "calls" in str(run["params"])


READ_WANDB = """
import json, struct
from pathlib import Path
from wandb.proto import wandb_internal_pb2
(path,) = Path("wandb").glob("offline-run-*/run-*.wandb")

def records(data):  # in LevelDB's log format, behind a header of 7 bytes
    at, whole = 7, b""
    while at < len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield whole
            whole = b""

history, summary, artifacts, exit_code = [], {}, [], None
for data in records(path.read_bytes()):
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    kind = record.WhichOneof("record_type")
    if kind == "history":
        items = record.history.item
        history.append({(i.key or i.nested_key[0]): json.loads(i.value_json) for i in items})
    elif kind == "summary":
        for i in record.summary.update:
            summary[i.key or i.nested_key[0]] = json.loads(i.value_json)
    elif kind == "artifact":
        artifacts.append(record.artifact.name)
    elif kind == "exit":
        exit_code = record.exit.exit_code
print(json.dumps({
    "history": history, "summary": summary, "artifacts": artifacts, "exit": exit_code
}))
"""


def test_wandb(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed: pip install wandb")
    run_script("with_wandb.py", tmp_path, WANDB_MODE="offline", WANDB_SILENT="true")
    run = read_in_process(READ_WANDB, tmp_path)
    history, summary = run["history"], run["summary"]
    assert isinstance(history, list) and isinstance(summary, dict)
    assert run["exit"] == 0
    scores = [step["score"] for step in history if "score" in step]
    assert len(scores) == 2 and all(0 < score <= 1 for score in scores)
    assert 0 < max(step["calls"] for step in history if "calls" in step) <= 500
    assert summary["stage"] == "certify" and summary["verdict"] in ("certified", "original")
    assert run["artifacts"] == ["triage.json"] or "triage" in str(run["artifacts"])
