"""The site of the guides: every page is in its navigation, every public name in its reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

import langprog as lp

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
    assert sorted(page for page in NAV if "/" not in page) == sorted(written)


def test_the_reference_has_a_page_for_every_package_with_public_names() -> None:
    rooms = {lp._ROOM_OF[name] for name in lp.__all__} | {"optimizers"}
    assert {f"reference/{room}.md" for room in rooms} == {p for p in NAV if "/" in p}


def test_links_between_the_guides_lead_somewhere() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
