from __future__ import annotations

import time

import pytest

from optimizers.instructions.hygiene import MARKER, SECRETS, Hygiene, InstructionFilter

TRAINING = ["my router has been blinking red since the storm last night and nothing works"]


def make_filter(own: tuple[str, ...] = ("Route the ticket.",)) -> InstructionFilter:
    return InstructionFilter(Hygiene(), TRAINING, own)


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("", "empty"),
        ("  ...  ", "empty"),
        (" ".join(f"word{number}" for number in range(300)), "300 words"),
        ("Teamti", "a fragment"),
        ("Choose a a a a a label.", "repeats itself"),
        ("Harbor for bills, harbor for bills, harbor for bills.", "repeats itself"),
        ("if it is a or b or c then it is a or b or " * 3, "repeats itself"),
        ("Answer under [[team]] please.", "marker"),
        ("Use the key sk-abcdefghijklmnop1234 for access.", "API key"),
        ("Write to jane.doe@example.org if unsure.", "e-mail"),
        ("Name the team so that accuracy goes up.", "speaks of the search"),
        ("This gets the best scores.", "speaks of the search"),
        ("If the router has been blinking red since the storm say network.", "copies training"),
    ],
)
def test_what_is_refused_and_why(instruction: str, reason: str) -> None:
    refusal = make_filter().refuse(instruction)
    assert refusal is not None and reason in refusal


def test_a_clean_instruction_enters_once() -> None:
    checks = make_filter()
    assert checks.refuse("Say which team owns the ticket.") is None
    assert (
        checks.refuse("say which TEAM owns the ticket")
        == "the same as an instruction already admitted"
    )


def test_a_task_about_scores_may_speak_of_scores() -> None:
    checks = make_filter(own=("Extract the score of the match.",))
    assert checks.refuse("Read the report and give the final score.") is None


def test_words_of_the_programs_own_texts_are_no_copy() -> None:
    own = "my router has been blinking red since the storm"
    assert make_filter(own=(own,)).refuse(f"{own.capitalize()}: decide the team.") is None


@pytest.mark.parametrize("part", ["a.", "eyJ-", "[[ ", " ", "sk-", "token: "])
def test_the_time_to_look_at_a_proposal_grows_as_it_does(part: str) -> None:
    def seconds(size: int) -> float:
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            for pattern in (MARKER, *SECRETS.values()):
                pattern.search("[[" + part * (size // len(part)) + "+")
            best = min(best, time.process_time() - started)
        return best

    assert seconds(32_000) < 12 * max(seconds(4_000), 0.002)
