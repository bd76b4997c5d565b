from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

torch = pytest.importorskip("torch")

from langprog.pocket.config import Shape  # noqa: E402  # after the check that torch is there
from langprog.pocket.engine import Network  # noqa: E402
from langprog.pocket.models import Runner  # noqa: E402
from langprog.pocket.training.batches import PHASE0, chunk  # noqa: E402
from langprog.pocket.training.export import export  # noqa: E402
from langprog.pocket.training.grow import grow, widen  # noqa: E402
from langprog.pocket.training.model import PocketTransformer  # noqa: E402
from langprog.pocket.training.train import Plan, Trainer  # noqa: E402
from langprog.pocket.world.vocabulary import build  # noqa: E402

TINY = Plan(batch=256, compiled=False, layers=1, width=32, hidden=48, save_every=1e9)


def test_the_engine_computes_what_was_trained() -> None:
    torch.manual_seed(0)
    shape = Shape(200, width=64, layers=3, heads=2, hidden=96, context=64)
    model = PocketTransformer(shape)
    ids = torch.randint(0, 200, (1, 40))
    with torch.no_grad():
        wanted = model.logits(model(ids))[0].numpy()
    tensors = {k: v.numpy() for k, v in model.state_dict().items()}
    network = Network(shape, tensors)
    with threadpool_limits(1, "blas"):
        vectors = network.read(network.empty(40), ids[0].tolist())
        np.testing.assert_allclose(network.logits(vectors), wanted, atol=1e-3)


def test_a_resumed_run_is_the_undisturbed_one(tmp_path: Path) -> None:
    Trainer(TINY, tmp_path / "whole").run(limit=4)
    Trainer(TINY, tmp_path / "parts").run(limit=2)
    Trainer(TINY, tmp_path / "parts").run(limit=2)
    whole, parts = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "parts")
    )
    assert whole["progress"]["step"] == parts["progress"]["step"] == 4
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, parts["model"][name]), name


def test_an_exported_run_can_be_asked(tmp_path: Path) -> None:
    Trainer(TINY, tmp_path / "run").run(limit=1)
    path = export(tmp_path / "run", tmp_path / "out", "tiny")
    runner = Runner(path, tmp_path / "out" / "tokenizer.json")
    assert runner.generator.network.shape.width == 32


def test_batches_depend_on_seed_and_index() -> None:
    tokenizer = build()
    stage = replace(PHASE0[2], name="test")
    one, again = (chunk(tokenizer, 1, 3, stage, 512) for _ in range(2))
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(one, again, strict=True))
    other = chunk(tokenizer, 1, 4, stage, 512)
    assert any(not np.array_equal(a.ids, b.ids) for a, b in zip(one, other, strict=False))


def test_the_log_is_json_lines(tmp_path: Path) -> None:
    trainer = Trainer(TINY, tmp_path)
    trainer._log({"loss": 1.0})
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["stage"] == "assoc-1"


def test_a_resumed_run_logs_no_step_twice(tmp_path: Path) -> None:
    Trainer(TINY, tmp_path).run(limit=2)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2}\n{"step": 3}\n{"step": 4')
    Trainer(TINY, tmp_path)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 2}\n'


def test_a_wider_and_deeper_model_starts_with_the_answers_of_the_smaller_one() -> None:
    torch.manual_seed(0)
    small = Shape(200, width=64, layers=2, heads=2, hidden=96, context=64)
    large = Shape(200, width=96, layers=5, heads=3, hidden=160, context=64)
    before, after = PocketTransformer(small), PocketTransformer(large)
    after.load_state_dict(widen(before.state_dict(), small, large))
    ids = torch.randint(0, 200, (2, 40))
    with torch.no_grad():
        wanted, found = before.logits(before(ids)), after.logits(after(ids))
    assert (wanted.argmax(-1) == found.argmax(-1)).float().mean() > 0.95
    assert (wanted - found).abs().mean() < 0.05 * wanted.std()


def test_a_run_grows_out_of_a_smaller_one(tmp_path: Path) -> None:
    Trainer(TINY, tmp_path / "small").run(limit=1)
    plan = replace(TINY, layers=2, width=64, hidden=64, seed=1)
    grow(tmp_path / "small", tmp_path / "large", plan)
    trainer = Trainer(plan, tmp_path / "large")
    assert trainer.progress.phase == len(PHASE0)
    trainer.run(limit=1)
    assert trainer.progress.step == 1
