"""What the check for personal data detects, and what it does not."""

from __future__ import annotations

import time

import pytest

from langprog.checks.personal_data import kinds_in


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to jo.doe+x@mail.example.com, please", "an e-mail address"),
        ("(jo@example.org)", "an e-mail address"),
        ("card 4111 1111 1111 1111", "a payment card number"),
        ("4111-1111-1111-1111", "a payment card number"),
        ("378282246310005.", "a payment card number"),
        ("IBAN DE89 3704 0044 0532 0130 00", "an IBAN"),
        ("GB82WEST12345698765432", "an IBAN"),
        ("DE89 3704 0044 0532 0130 00 IS MINE", "an IBAN"),
        ("SSN 078-05-1120", "a social security number"),
        ("call +44 20 7946 0958 now", "a phone number"),
        ("(555) 010-9999", "a phone number"),
        ("555-010-9999", "a phone number"),
        ("from 192.168.0.1", "an IP address"),
    ],
)
def test_what_is_detected(text: str, kind: str) -> None:
    assert kind in list(kinds_in(text))


@pytest.mark.parametrize(
    "text",
    [
        "Jo Doe, 12 Main Street, born on 1 May 1980",
        "order 4111 1111 1111 1112 is not a card",
        "0000 0000 0000 0000",
        "DE88 3704 0044 0532 0130 00",
        "version 1.2.3 and 1.2.3.4.5 and 300.1.1.1",
        "2026-11-27, 18:44, 1,000,000 and 3.14159",
        "000-12-3456 and 666-12-3456",
        "jo at example dot com",
        "a@b",
        "+1 and +123",
        "",
    ],
)
def test_what_is_not_detected(text: str) -> None:
    assert list(kinds_in(text)) == []


@pytest.mark.parametrize(
    "piece", ["a.", "1 ", "1-", "A1", "a@", "+1", "(555) ", "1.", "DE89 ", "a-"]
)
def test_no_text_takes_for_ever(piece: str) -> None:
    started = time.process_time()
    list(kinds_in(piece * (50_000 // len(piece))))
    assert time.process_time() - started < 20
