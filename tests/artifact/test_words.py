"""The difference of two texts holds both, and takes no long time."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from langprog.artifact import diff_words


@given(st.text("ab <&.\n\x0b", max_size=30), st.text("ab <&.\n\x0b", max_size=30))
def test_both_texts_can_be_read_out_of_their_difference(before: str, after: str) -> None:
    pieces = diff_words(before, after)
    assert "".join(text for kind, text in pieces if kind != "added") == before
    assert "".join(text for kind, text in pieces if kind != "removed") == after


def test_the_time_for_long_texts_grows_as_they_do() -> None:
    def seconds(size: int) -> float:
        texts = "a b c d\n" * size + "x\n", "y\n" + "a b c d\n" * size
        started = time.process_time()
        pieces = diff_words(*texts)
        ended = time.process_time()
        assert "".join(text for kind, text in pieces if kind != "removed") == texts[1]
        return ended - started

    assert seconds(80_000) < 24 * max(seconds(10_000), 0.01)
