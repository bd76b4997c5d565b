"""Personal data in a text, as far as its form gives it away.

Detected are: e-mail addresses; phone numbers in international form (``+44 20 7946 0958``) and in
the American form (``(555) 010-9999``, ``555-010-9999``); payment card numbers of 13 to 19 digits
whose Luhn checksum is right; IBANs whose checksum is right; American social security numbers
(``078-05-1120``, in the ranges that were issued); IPv4 addresses.

Not detected is what only its meaning gives away (names, addresses, birthdays, customer numbers),
other countries' numbers without a country code, and anything that is spelled out or hidden on
purpose. The check shows that an answer leaks nothing of these kinds, not that it is anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

# Every pattern is linear: each part has a fixed length, or ends where the next one begins.
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_PHONE = re.compile(
    r"(?<![\w+])\+[1-9](?:[ .()-]{0,2}\d){7,14}(?![\d-])"
    r"|(?<![\w(-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
)
_DIGITS = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")


def _is_card(text: str) -> bool:
    digits = [int(character) for character in text if character.isdigit()]
    if len(set(digits)) == 1:
        return False
    doubled = (d * 2 - 9 * (d > 4) if at % 2 else d for at, d in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    code = text.replace(" ", "")
    # Words in capitals may follow an IBAN: it ends where its checksum is right.
    return any(_iban_rest(code[:end]) == 1 for end in range(15, min(len(code), 34) + 1))


def _iban_rest(code: str) -> int:
    return int("".join(str(int(character, 36)) for character in code[4:] + code[:4])) % 97


def _is_ipv4(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


def _always(text: str) -> bool:
    return True


_KINDS: Mapping[str, tuple[re.Pattern[str], Callable[[str], bool]]] = MappingProxyType(
    {
        "an e-mail address": (_EMAIL, _always),
        "a payment card number": (_DIGITS, _is_card),
        "an IBAN": (_IBAN, _is_iban),
        "a social security number": (_SSN, _always),
        "a phone number": (_PHONE, _always),
        "an IP address": (_IPV4, _is_ipv4),
    }
)


def kinds_in(text: str) -> Iterator[str]:
    """Yield the kinds of personal data in a text, each once; never the data itself."""
    for kind, (pattern, is_real) in _KINDS.items():
        if any(is_real(match[0]) for match in pattern.finditer(text)):
            yield kind
