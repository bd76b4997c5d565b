"""What mkdocs adds to the site: the reference, and the files of the repository that guides name.

The reference has every public name, sorted by the package that it comes from. A link that leaves
``docs/`` (``../benchmarks/results/port.md``) leads to a copy under ``repository/``.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import langprog
import optimizers

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)")
SHOWN = {".md": "", ".py": "python", ".toml": "toml", ".ipynb": "json"}


def on_config(config: Any) -> Any:
    """Add the pages of the reference to the navigation."""
    pages = [{room: f"reference/{name}.md"} for room, name in named(reference_pages())]
    config.nav.append({"Reference": pages})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the reference, and copies of what is linked outside ``docs/``."""
    for name, text in reference_pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    waiting = [ROOT / "docs" / file.src_uri for file in files if file.is_documentation_page()]
    copied: set[Path] = set()
    while waiting:
        page = waiting.pop()
        if page.suffix != ".md" or not page.is_file():
            continue
        for link in LINK.findall(page.read_text()):
            target = (page.parent / link).resolve()
            if is_copied(target) and target not in copied:
                copied.add(target)
                waiting.append(target)
                files.append(copy_of(target, config))
    return files


def on_page_markdown(markdown: str, page: Any, **given: Any) -> str:
    """Let links that leave ``docs/`` lead to the copies."""
    here = page.file.src_uri
    inside = here.startswith("repository/")
    source = ROOT / (
        here.removeprefix("repository/").removesuffix("#") if inside else f"docs/{here}"
    )

    def renamed(found: re.Match[str]) -> str:
        target = (source.parent / found[1]).resolve()
        if not target.is_relative_to(ROOT):
            return found[1]
        if target.is_relative_to(ROOT / "docs"):
            to = target.relative_to(ROOT / "docs").as_posix()
        else:
            to = address_of(target)
        return posixpath.relpath(to, posixpath.dirname(here) or ".")

    return LINK.sub(renamed, markdown)


def reference_pages() -> dict[str, str]:
    """Return the pages of the reference by name: every public name, by package."""
    names: dict[str, list[str]] = {}
    for name in langprog.__all__:
        names.setdefault(f"langprog.{langprog._ROOM_OF[name]}", []).append(name)
    names["optimizers"] = [name for name in optimizers.__all__ if not name.isupper()]
    pages = {}
    for room, listed in names.items():
        parts = "\n\n".join(
            f"::: {room}" if room.endswith(f".{name}") else f"::: {room}.{name}"
            for name in sorted(listed)
        )
        pages[room.rpartition(".")[2]] = f"# {room}\n\n{parts}\n"
    return pages


def named(pages: dict[str, str]) -> list[tuple[str, str]]:
    """Return the package and the name of each page, sorted."""
    return sorted(
        (text.split("\n", 1)[0].removeprefix("# "), name) for name, text in pages.items()
    )


def is_copied(target: Path) -> bool:
    """Return whether a linked file is one of the repository outside ``docs/``."""
    return (
        target.is_file()
        and target.is_relative_to(ROOT)
        and not target.is_relative_to(ROOT / "docs")
    )


def address_of(target: Path) -> str:
    """Return where the copy of a file is."""
    path = target.relative_to(ROOT).as_posix()
    shown = target.suffix in SHOWN and target.suffix != ".md"
    return f"repository/{path}.md" if shown else f"repository/{path}"


def copy_of(target: Path, config: Any) -> File:
    """Return a page with a file's text, or the file itself."""
    where = address_of(target)
    if target.suffix == ".md" or target.suffix not in SHOWN:
        return File.generated(config, where, content=target.read_bytes())
    text = f"# {target.name}\n\n```{SHOWN[target.suffix]}\n{target.read_text()}\n```\n"
    return File.generated(config, where, content=text)
