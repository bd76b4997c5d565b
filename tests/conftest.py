"""What every test shares: no ambient state leaks from one test into the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langprog.runtime import settings


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    before = settings._process
    settings._process = settings._Process()
    yield
    settings._process = before
