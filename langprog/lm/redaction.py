"""Recognizes keys, tokens and passwords, to keep them out of reports and artifacts."""

from __future__ import annotations

import re

_PATTERNS = (
    # Hyphenated words are not keys: a key has a digit or a long run of letters.
    re.compile(r"\b(?:sk|pk|rk)-(?:[A-Za-z0-9_]{20,}|(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{20,})"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{30,}"),
    re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"),
    # Three runs separated by dots, searched for once per run; the first may have a prefix.
    re.compile(
        r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]{10,}+){2})"
        r"[A-Za-z0-9_-]*?\beyJ[A-Za-z0-9_-]{10,}+(?:\.[A-Za-z0-9_-]{10,}+){2}"
    ),
    re.compile(r"\b[Bb]earer\s+(?=[A-Za-z._~+/-]*\d)[A-Za-z0-9._~+/-]{16,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    # A user and a password, or a key, in an address.
    re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/@:]+:[^\s/@]+@"),
    re.compile(r"(?i)[?&](?:api[_-]?key|key|access[_-]?token|token|secret)=[^\s&#]{8,}"),
    re.compile(r"(?i)\bapi[_-]?key\s*[=:]\s*['\"]?[A-Za-z0-9_-]{16,}"),
)


def looks_secret(text: str) -> bool:
    """Return whether ``text`` holds something that looks like a key, a token or a password."""
    return any(pattern.search(text) for pattern in _PATTERNS)


def redact(text: str) -> str:
    """Return ``text`` with ``[secret]`` where something looks like one."""
    for pattern in _PATTERNS:
        text = pattern.sub("[secret]", text)
    return text
