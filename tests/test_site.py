"""The site of the guides: every page is in its navigation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def pages(nav: str | list[Any] | dict[str, Any]) -> list[str]:
    """Return the files that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages(part)]


NAV = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


def test_every_page_is_in_the_navigation_once() -> None:
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert sorted(NAV) == sorted(written)
