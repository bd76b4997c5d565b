"""The markers of the adapter ``chat``: ``[[name]]`` at the beginning of a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

Names = tuple[str, ...]


@lru_cache(maxsize=256)
def _escaped_marker(names: Names) -> re.Pattern[str]:
    return re.compile(rf"\\{marker_source(names)}", case_flags(names))


@lru_cache(maxsize=256)
def marker_pattern(names: Names) -> re.Pattern[str]:
    """Return the pattern of a marker of any of these fields."""
    return re.compile(marker_source(names), case_flags(names))


@lru_cache(maxsize=256)
def label_pattern(names: Names) -> re.Pattern[str]:
    """Return the pattern of ``name:`` at the beginning of a line."""
    either = "|".join(re.escape(name).replace("_", "[ _]") for name in names)
    return re.compile(
        rf"^[ \t>#*_-]*(?P<name>{either})[ \t]*[*_]*:(?:\*\*|__)?[ \t]*",
        re.MULTILINE | case_flags(names),
    )


@lru_cache(maxsize=256)
def _names_by_folded(names: Names) -> Mapping[str, str]:
    return {name.casefold(): name for name in names}


def name_in(mark: re.Match[str], names: Names) -> str:
    """Return the field that a marker names; empty for one that ends the reply."""
    written = mark["name"] or ""
    if written in names:
        return written
    return _names_by_folded(names).get(written.casefold().replace(" ", "_"), written)


def case_flags(names: Names) -> re.RegexFlag:
    """Return the flags of a pattern with these names."""
    # Case matters only where it alone distinguishes two fields.
    return re.IGNORECASE if len(_names_by_folded(names)) == len(names) else re.NOFLAG


def marker_source(names: Names) -> str:
    """Return the source of the marker's pattern; the group ``name`` has the name."""
    # Models trained on prompts of another library may end a reply with `## completed ##`.
    either = "|".join(re.escape(name) for name in names)
    return (
        rf"\[\[[ \t]*(?:(?:##[ \t]*)?(?P<name>{either})(?:[ \t]*##)?|##[ \t]*completed[ \t]*##)"
        r"[ \t]*\]\]"
    )


def escape(text: str, names: Iterable[str]) -> str:
    """Return ``text`` with one more backslash before everything that looks like a marker."""
    if "[[" not in text:
        return text
    return marker_pattern(tuple(names)).sub(lambda match: "\\" + match.group(), text)


def unescape(text: str, names: Iterable[str]) -> str:
    """Undo :func:`escape`."""
    if "\\[[" not in text:
        return text
    return _escaped_marker(tuple(names)).sub(lambda match: match.group()[1:], text)
