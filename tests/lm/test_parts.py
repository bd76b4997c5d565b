"""Parts of messages are checked where they are made."""

from __future__ import annotations

from typing import Any

import pytest

from langprog.errors import InputError
from langprog.lm import Image


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": "photo.png"}, r"data= of a part Image is a str.*read_bytes"),
        ({"data": b"1", "url": "https://example.org/1.png"}, "either data= or url="),
        ({}, "either data= or url="),
    ],
)
def test_an_image_that_is_none_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Image(**given)
