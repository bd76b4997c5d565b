from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from langprog.errors import ContextWindowError
from langprog.pocket.config import Shape
from langprog.pocket.engine import Network, Prefixes
from langprog.pocket.generate import Generator, Settings, prompt_of
from langprog.pocket.world.vocabulary import build

TOKENIZER = build()
SHAPE = Shape(len(TOKENIZER), width=32, layers=2, heads=2, hidden=48, context=160)


def _network() -> Network:
    rng = np.random.default_rng(0)
    d, f = SHAPE.width, SHAPE.hidden
    tensors = {"embedding": rng.normal(size=(SHAPE.vocabulary, d)) * 0.2}
    for i in range(SHAPE.layers):
        tensors[f"qkv.{i}"] = rng.normal(size=(3 * d, d)) * 0.3
        tensors[f"out.{i}"] = rng.normal(size=(d, d)) * 0.3
        tensors[f"up.{i}"] = rng.normal(size=(2 * f, d)) * 0.3
        tensors[f"down.{i}"] = rng.normal(size=(d, f)) * 0.3
        tensors[f"taps.{i}"] = rng.normal(size=(2, SHAPE.kernel, d)) * 0.3
    return Network(SHAPE, {k: v.astype(np.float32) for k, v in tensors.items()})


NETWORK = _network()
MESSAGES = [
    ("system", "Choose the team."),
    ("user", "[[ticket]]\nmy invoice is wrong"),
    ("assistant", "[[team]]\nbilling"),
    ("user", "[[ticket]]\nthe wifi is slow"),
]
PROMPT = prompt_of(TOKENIZER, MESSAGES)
OTHER = prompt_of(TOKENIZER, [*MESSAGES[:3], ("user", "[[ticket]]\nmy card was declined")])


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1, "blas"):
        yield


def test_reading_in_parts_is_reading_at_once() -> None:
    ids = [*PROMPT.prefix, *PROMPT.rest]
    whole = NETWORK.empty(len(ids))
    at_once = NETWORK.read(whole, ids)
    state = NETWORK.empty(len(ids))
    parts = [NETWORK.read(state, part) for part in (ids[:7], ids[7:8], ids[8:])]
    np.testing.assert_allclose(np.concatenate(parts), at_once, atol=2e-5)
    np.testing.assert_allclose(state.tails, whole.tails, atol=2e-5)


def test_a_remembered_prefix_changes_no_bit() -> None:
    settings = Settings(max_tokens=12)
    warm = Generator(NETWORK, TOKENIZER)
    warm.draw(OTHER, settings)
    again, kept = warm.draw(PROMPT, settings)
    fresh, nothing = Generator(NETWORK, TOKENIZER, Prefixes(0)).draw(PROMPT, settings)
    assert again == fresh
    assert (kept, nothing) == (len(PROMPT.prefix), 0)


def test_prefixes_forget_the_oldest() -> None:
    prefixes = Prefixes(NETWORK.empty(6).size + NETWORK.empty(4).size)
    first, kept = prefixes.state(NETWORK, (40, 41, 42, 43, 44, 45))
    assert not kept
    assert prefixes.state(NETWORK, (40, 41, 42, 43, 44, 45)) == (first, True)
    prefixes.state(NETWORK, (50, 51, 52, 53))
    prefixes.state(NETWORK, (60, 61, 62, 63))
    assert not prefixes.state(NETWORK, (40, 41, 42, 43, 44, 45))[1]


def test_a_seed_decides_a_sample() -> None:
    generator = Generator(NETWORK, TOKENIZER)
    hot = Settings(temperature=1.5, max_tokens=8, seed=3)
    drawn, _ = generator.draw(PROMPT, hot, n=4)
    assert generator.draw(PROMPT, hot, n=4)[0] == drawn
    assert generator.draw(PROMPT, hot, n=2)[0] == drawn[:2]
    assert len({d.text for d in drawn}) > 1
    other, _ = generator.draw(PROMPT, Settings(temperature=1.5, max_tokens=8, seed=4), n=4)
    assert other != drawn


def test_without_a_seed_samples_differ() -> None:
    generator = Generator(NETWORK, TOKENIZER)
    hot = Settings(temperature=2.0, max_tokens=12)
    assert len({generator.draw(PROMPT, hot)[0][0].text for _ in range(4)}) > 1


def test_a_small_nucleus_is_greedy() -> None:
    generator = Generator(NETWORK, TOKENIZER)
    greedy, _ = generator.draw(PROMPT, Settings(max_tokens=8))
    narrow = Settings(temperature=1.0, top_p=1e-9, max_tokens=8, seed=1)
    assert generator.draw(PROMPT, narrow)[0][0].text == greedy[0].text


def test_stop_strings_cut_the_text() -> None:
    generator = Generator(NETWORK, TOKENIZER)
    whole, _ = generator.draw(PROMPT, Settings(max_tokens=10))
    stop = whole[0].text[4:7]
    cut, _ = generator.draw(PROMPT, Settings(max_tokens=10, stop=(stop, "never")))
    assert cut[0].text == whole[0].text[: whole[0].text.index(stop)]
    assert cut[0].reason == "stop"


def test_log_probabilities_are_those_of_the_chosen_tokens() -> None:
    (drawn,), _ = Generator(NETWORK, TOKENIZER).draw(PROMPT, Settings(max_tokens=5))
    assert len(drawn.logprobs) == 5
    assert all(p <= 0 for p in drawn.logprobs)
    assert drawn.reason == "length"


def test_the_answer_ends_with_the_context() -> None:
    (drawn,), _ = Generator(NETWORK, TOKENIZER).draw(PROMPT, Settings(max_tokens=10_000))
    assert PROMPT.length + len(drawn.logprobs) <= SHAPE.context


def test_a_prompt_that_is_too_long_says_so() -> None:
    long = prompt_of(TOKENIZER, [("user", "invoice " * 200)])
    with pytest.raises(ContextWindowError, match="fewer or shorter demonstrations"):
        Generator(NETWORK, TOKENIZER).draw(long, Settings())


def test_the_prompt_is_cut_before_the_last_user_message() -> None:
    assert TOKENIZER.decode(PROMPT.rest) == "[[ticket]]\nthe wifi is slow"
    assert PROMPT.prefix == OTHER.prefix
    lone = prompt_of(TOKENIZER, [("user", "hello")])
    assert (lone.prefix, TOKENIZER.decode(lone.rest)) == ((), "hello")
