from __future__ import annotations

import time

import pytest

from langprog.lm import looks_secret, redact

SECRETS = [
    "sk-abcdefghijklmnopqrstuvwx",
    "sk-proj-aB3-dE6fGh9iJkLmNoPq",
    "AKIA" + "ABCDEFGH12345678",
    "ghp_" + "a1" * 18,
    "hf_" + "aB1" * 12,
    "Authorization: Bearer abc123def456ghi789jkl",
    "-----BEGIN RSA PRIVATE KEY-----",
    "https://user:hunter2@example.com/v1",
    "https://example.com/v1?api_key=0123456789abcdef",
    "api_key='0123456789abcdef'",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
    "token-eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
]
HARMLESS = [
    "",
    "Route the support ticket to the team that owns it.",
    "sk-learn-and-other-machine-learning-libraries",
    "risk-assessment-and-management-plan-2024",
    "https://example.com/v1?page=12345678",
    "the bearer of this letter is responsible",
    "My password does not work. Where do I find my api key?",
    "sha256:" + "0123456789abcdef" * 4,
    "http://localhost:8000/v1",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_seen_and_taken_out(text: str) -> None:
    assert looks_secret(f"before {text} after")
    assert not looks_secret(redact(f"before {text} after"))
    assert redact(f"before {text} after").startswith("before ")


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays(text: str) -> None:
    assert not looks_secret(text)
    assert redact(text) == text


@pytest.mark.parametrize("part", ["a.", "eyJ-", "eyJaaaaaaaaaa.", "sk-", "a://b:c", "bearer "])
def test_the_time_to_look_for_secrets_grows_as_the_text_does(part: str) -> None:
    def seconds(size: int) -> float:
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            redact(part * (size // len(part)))
            best = min(best, time.process_time() - started)
        return best

    assert seconds(32_000) < 12 * max(seconds(4_000), 0.001)
