from __future__ import annotations

import random
from typing import Any, Literal

import pytest

from langprog.adapters import adapter_named
from langprog.example import Example
from langprog.pocket.tokenizer import ASSISTANT
from langprog.pocket.world import classify, extract, propose
from langprog.pocket.world.documents import FAMILIES, Hardness, associative, draw_document, encode
from langprog.pocket.world.labels import label_words
from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.prompts import Episode, Slot, turns
from langprog.pocket.world.vocabulary import build
from langprog.pocket.world.wordings import wordings
from langprog.signature import FieldSpec, SignatureSpec
from tests.adapters.replies import TextAdapter

TOKENIZER = build()
NAMES = [name for name, _, _ in FAMILIES]


def _episode(name: str, seed: int, split: str = "train") -> Episode:
    draw = next(f for n, _, f in FAMILIES if n == name)
    return draw(random.Random(seed), split)


def _annotation(slot: Slot) -> object:
    if slot.phrase.startswith("one of: "):
        return Literal[tuple(slot.phrase.removeprefix("one of: ").split(", "))]
    return {"": str, "true or false": bool, "integer": int}[slot.phrase]


def _spec(episode: Episode) -> SignatureSpec:
    fields = [
        FieldSpec(s.name, role, _annotation(s), s.description)
        for role, slots in (("input", episode.inputs), ("output", episode.outputs))
        for s in slots
    ]
    return SignatureSpec("Task", episode.instruction, tuple(fields))


@pytest.mark.parametrize("form", ["chat", "json"])
@pytest.mark.parametrize("name", NAMES)
def test_training_text_is_what_the_adapters_send(name: str, form: str) -> None:
    for seed in range(12):
        episode = _episode(name, seed)
        spec = _spec(episode)
        if any(s.phrase == "true or false" for s in episode.outputs):
            continue  # its values stand as words in the episode
        demos = [Example(**r.inputs, **r.outputs) for r in episode.rows[:-1]]
        rendered = adapter_named(form).render(spec, demos, episode.rows[-1].inputs)
        mine = [(t.role, t.content) for t in turns(episode, form)]
        assert [(m.role, m.content) for m in rendered] == mine[:-1]
        assert TextAdapter(form).parse(spec, mine[-1][1]) == episode.rows[-1].outputs


def test_documents_depend_on_the_seed_alone() -> None:
    a = [draw_document(random.Random(s), TOKENIZER, 300, 0.3).ids for s in range(20)]
    b = [draw_document(random.Random(s), TOKENIZER, 300, 0.3).ids for s in range(20)]
    assert a == b
    assert all(len(ids) <= 300 for ids in a)


@pytest.mark.filterwarnings("ignore")  # what DSPy warns of is its own
@pytest.mark.parametrize("form", ["dspy", "dspy-json"])
@pytest.mark.parametrize("name", NAMES)
def test_training_text_is_what_dspy_sends(name: str, form: str) -> None:
    dspy: Any = pytest.importorskip("dspy")
    adapter = dspy.ChatAdapter() if form == "dspy" else dspy.JSONAdapter()
    for seed in range(6):
        episode = _episode(name, seed)
        if any(s.phrase == "true or false" for s in episode.outputs):
            continue
        fields = {s.name: (str, dspy.InputField(desc=s.description)) for s in episode.inputs} | {
            s.name: (_annotation(s), dspy.OutputField(desc=s.description)) for s in episode.outputs
        }
        if any(len(r.inputs) < len(episode.inputs) for r in episode.rows):
            continue  # DSPy leaves such demonstrations out
        spec = dspy.make_signature(fields, episode.instruction)
        demos = [dspy.Example(**r.inputs, **r.outputs) for r in episode.rows[:-1]]
        sent = adapter.format(spec, demos, episode.rows[-1].inputs)
        mine = [(t.role, t.content) for t in turns(episode, form)]
        assert [(m["role"], m["content"]) for m in sent] == mine[:-1]


@pytest.mark.parametrize("form", ["chat", "json", "dspy", "dspy-json"])
def test_only_answers_count(form: str) -> None:
    for seed in range(10):
        document = encode(TOKENIZER, _episode("classify", seed), form)
        assert len(document.ids) == len(document.weights)
        first = document.ids.index(ASSISTANT)
        assert not any(document.weights[: first + 1])
        assert document.weights[-1] == 1.0


def test_a_label_counts_once_it_can_be_known() -> None:
    rng = random.Random(5)
    task = classify.draw_labelling(rng, "train", count=4, natural=False, cues=False)
    episode = classify.classification(
        rng, "train", demos=10, task=task, mapped=False, options=True
    )
    seen: set[object] = set()
    for row in episode.rows:
        label = row.outputs[task.target]
        assert (row.weights[task.target] == 1.0) == (label in seen)
        seen.add(label)


def test_associative_documents_follow_their_keys() -> None:
    document = associative(random.Random(1), TOKENIZER, Hardness(1, 0.0, 4, 12))
    text = [TOKENIZER.text_of(i) for i in document.ids]
    assert text.count("<user>") == text.count("<assistant>") == 12


def test_no_word_is_a_label_in_both_splits() -> None:
    assert not set(label_words("train")) & set(label_words("held"))
    assert len(label_words("held")) > 100


@pytest.mark.parametrize("kind", ["vague", "classify", "mapping"])
def test_no_wording_is_in_both_splits(kind: str) -> None:
    train, held = wordings(kind, "train"), wordings(kind, "held")
    assert not set(train) & set(held)
    assert len(train) >= 30
    assert len(held) >= 3


def test_held_out_pairs_of_subjects_stay_out_of_training() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        topics = classify.pick_topics(rng, 4, "train")
        pairs = [(a.key, b.key) for a in topics for b in topics if a is not b]
        assert not any(classify.pair_held(*p) for p in pairs)


def test_subjects_have_names_of_their_own() -> None:
    keys = [t.key for t in lexicon().topics]
    assert len(keys) == len(set(keys)) > 120


def test_a_proposal_names_every_label_that_the_examples_show() -> None:
    rng = random.Random(3)
    task = classify.draw_labelling(rng, "train", count=3, natural=False, cues=False)
    shown = propose.draw_rows(rng, task, 9)
    text = propose.write_instruction(task, shown, propose.EVERY).lower()
    assert all(g.label.lower() in text for _, g in shown)


def test_extraction_answers_stand_in_the_text() -> None:
    for seed in range(20):
        for row in extract.extraction(random.Random(seed), "train").rows:
            text = " ".join(str(v) for v in row.inputs.values())
            assert all(str(v) in text for v in row.outputs.values())
