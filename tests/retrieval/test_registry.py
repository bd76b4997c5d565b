"""Retrievers that other packages bring: found by entry point, refused in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError, InputError
from langprog.retrieval.registry import check_retriever, kinds, retriever_named

Install = Callable[..., None]

LEGAL = """
import langprog as lp


class Legal(lp.Retriever):
    kind = "legal"
    EDITION = "statutes 2024"

    @property
    def corpus_digest(self):
        return self.EDITION

    async def search(self, query, k):
        return [lp.Passage("No parking.", 1.0, "s1")]


class Local(lp.Retriever):
    kind = "local"

    def __init__(self, path):
        self.path = path

    def search(self, query, k):
        return []


ready = Legal()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what puts a package with an entry point on the path."""

    def put(name: str, value: str, kind: str = "legal", code: str = LEGAL) -> None:
        folder = tmp_path / name
        (folder / f"{name}-1.dist-info").mkdir(parents=True)
        (folder / f"{name}.py").write_text(code)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        (folder / f"{name}-1.dist-info" / "METADATA").write_text(metadata)
        points = f"[langprog.retrievers]\n{kind} = {value}\n"
        (folder / f"{name}-1.dist-info" / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(folder))

    return put


@pytest.mark.parametrize("value", ["pluglegal:Legal", "pluglegal:ready"])
def test_a_packages_retriever_is_asked_by_name(
    install: Install, tmp_path: Path, value: str
) -> None:
    install("pluglegal", value)
    assert "legal" in kinds() and "pluglegal" not in sys.modules
    program = lp.Retrieve("legal", k=1)
    assert program(query="parking").passages == ["No parking."]
    lp.save(program, tmp_path / "p.json")
    assert lp.load(tmp_path / "p.json")(query="parking").passages_ids == ["s1"]


def test_another_edition_of_a_packages_corpus_is_refused(install: Install, tmp_path: Path) -> None:
    install("pluglegal", "pluglegal:Legal")
    lp.save(lp.Retrieve("legal"), tmp_path / "p.json")
    sys.modules["pluglegal"].Legal.EDITION = "statutes 2025"  # type: ignore[attr-defined]  # written above
    with pytest.raises(
        ArtifactError, match="another corpus \\(statutes 2025, not statutes 2024\\)"
    ):
        lp.load(tmp_path / "p.json")


def test_a_package_that_is_gone_is_named(install: Install, tmp_path: Path) -> None:
    install("pluglegal", "pluglegal:Legal")
    lp.save(lp.Retrieve("legal"), tmp_path / "p.json")
    sys.path[:] = [entry for entry in sys.path if "pluglegal" not in entry]
    with pytest.raises(ArtifactError, match="needs your retriever 'legal' \\(kind 'legal'"):
        lp.load(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (
            "plugbad:Missing",
            "legal",
            r"the retriever 'legal' \(plugbad:Missing\) cannot be loaded",
        ),
        ("plugbad:Legal", "other", "is not the retriever 'other'"),
        ("plugbad:LEGAL", "legal", "cannot be loaded"),
        ("plugbad:lp", "legal", "is not the retriever 'legal'"),
        ("plugbad:Local", "local", "needs arguments .*pass Local"),
    ],
)
def test_an_entry_point_that_does_not_fit_is_refused(
    install: Install, value: str, kind: str, words: str
) -> None:
    install("plugbad", value, kind)
    with pytest.raises(InputError, match=words):
        retriever_named(kind)


def test_two_packages_of_one_kind_are_refused(install: Install) -> None:
    install("plugone", "plugone:Legal")
    install("plugtwo", "plugtwo:Legal")
    with pytest.raises(InputError, match="plugone:Legal and plugtwo:Legal: uninstall one"):
        retriever_named("legal")


def test_a_package_cannot_replace_a_built_in_kind(install: Install) -> None:
    install("plugbm", "plugbm:Legal", "bm25")
    with pytest.raises(InputError, match="'bm25' needs arguments"):
        retriever_named("bm25")
    assert "plugbm" not in sys.modules


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nowhere", "no retriever 'nowhere'; there are bm25, embedding, function, hybrid"),
        (lp.BM25Retriever, "BM25Retriever is a class: pass a retriever"),
        (7, "is an lp.Retriever or a function of a query and a number, not a int"),
        (
            type("Thing", (), {"search": print})(),
            "is not an lp.Retriever: derive .*thing.search",
        ),
        (type("Nameless", (lp.Retriever,), {"search": print})(), "Nameless has no kind"),
    ],
)
def test_what_is_not_a_retriever_is_refused(value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_retriever(value)
