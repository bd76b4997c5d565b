from __future__ import annotations

import time

import pytest

from optimizers.instructions.hygiene import (
    MARKER,
    MONOLOGUE,
    SECRETS,
    STRAY,
    Hygiene,
    InstructionFilter,
)

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
        # What a small language model wrote.
        ("[insert instruction]\n\nThey are provided in a specific order.", "a blank to fill in"),
        ("Output fields: [instruction]\n\nName the team.", "a blank to fill in"),
        ("Dear <your name>, say which team it is.", "a blank to fill in"),
        ("Name the team of {{ ticket }} in a word.", "a blank to fill in"),
        ("Extracted from: [http://en.wikipedia.org/wiki/Human_lizard#:0001]", "a web address"),
        ("Name the team, as www.example.org says.", "a web address"),
        ("Name the team\x1b[31m in a word.", "control characters"),
        ("Name the team in a word.\x00", "control characters"),
        ("<unused94>thought\nThe team<unused95>Name the team.", "a token of a chat template"),
        ("Name the team in a word.<|im_end|>", "a token of a chat template"),
        ("Name the team in a word.<end_of_turn>", "a token of a chat template"),
        ("[INST] Name the team in a word. [/INST]", "a token of a chat template"),
        ('{"instruction": "Name the team in a word."}', "JSON instead of text"),
        ("The instructions are incomplete. The instruction is incomplete.", "speaks of itself"),
        ("This instruction should make a model name the team.", "speaks of itself"),
        ("Name the team.\nThe instruction is focused on a clear example.", "speaks of itself"),
        ("The answer to the question is: enum: human", "gives an answer"),
        ("Name the team.\nThe answer is: [story]", "gives an answer"),
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


@pytest.mark.parametrize(
    "part", ["a.", "eyJ-", "[[ ", " ", "\n", ". ", "*", "sk-", "token: ", "[your "]
)
def test_the_time_to_look_at_a_proposal_grows_as_it_does(part: str) -> None:
    def seconds(size: int) -> float:
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            for pattern in (MARKER, MONOLOGUE, *SECRETS.values(), *STRAY.values()):
                pattern.search("[[" + part * (size // len(part)) + "+")
            best = min(best, time.process_time() - started)
        return best

    assert seconds(32_000) < 24 * max(seconds(4_000), 0.002)


@pytest.mark.parametrize(
    "instruction",
    [
        "Okay, what does the user want? The team of a ticket.",
        "OK so the tickets are about routers. Name the team.",
        "Alright! The task is to name a team.",
        "Hmm, tickets again. Name the team of each.",
        "Sure, here is a better instruction: name the team.",
        "Let me think about what the tickets share.",
        "Read the ticket. I need to find out which words matter.",
        "I'll look at the examples first, then name the team.",
        "We need to produce an instruction that names the team.",
        "The user wants me to write an instruction for tickets.",
        "First, I look at the labels of the tickets.",
        "**Thinking:** the words matter.\n\nName the team of the ticket.",
        "Thinking Process:\n1. Read the tickets.\n\nName the team of the ticket.",
        "Reasoning: tickets have teams. Name the team.",
        "The user wants a better instruction. Name the team of the ticket.",
        "Here is the improved instruction:\n\nName the team of the ticket.",
        "Here's a clearer prompt: name the team of the ticket.",
        "assistantfinal Name the team of the ticket.",
    ],
)
def test_a_monologue_is_refused(instruction: str) -> None:
    assert make_filter().refuse(instruction) == "thinks aloud instead of instructing"


@pytest.mark.parametrize(
    "instruction",
    [
        "Think step by step, then name the team.",
        "Let's think step by step. Name the team last.",
        'If the ticket says "I need to reset my password", answer accounts.',
        "Ticket: I need to pay. Team: billing.",
        "I will give you a ticket; name its team.",
        "I want you to name the team of a ticket.",
        "Answer okay, late or lost.",
        "Wait for no further details: name the team.",
        "Well-formed replies name one team.",
        "The user asks about an order. Name the team.",
        "- i need to pay\n- billing\nName the team as above.",
        "Analysis of the ticket comes first, then its team.",
        "The user wants a refund or a repair: name the team.",
        "Here is a ticket. Name its team.",
        "Write two lines. Reasoning: why. Team: the team.",
        "Answer with [billing] or [network].",
        "Put the team in brackets: [team name here is not needed].",
        "Follow the instructions of the ticket, then name the team.",
        "Follow it if the instruction is clear. The answer is a team: billing or network.",
        "If x < your limit and y > 3, answer billing.",
    ],
)
def test_an_instruction_that_only_sounds_like_one_is_admitted(instruction: str) -> None:
    assert make_filter().refuse(instruction) is None


@pytest.mark.parametrize(
    "instruction",
    [
        "<think>\nwhich team?\n</think>\nName the team.",
        "Name the team. <think> is that all?",
        "Name the team of the ticket.</thinking>",
        "[THINK] which team? [/THINK] Name the team.",
        "<|channel|>analysis<|message|>which team? Name the team.",
        "\u25c1think\u25b7 which team? \u25c1/think\u25b7 Name the team.",
    ],
)
def test_the_tags_of_thinking_are_refused(instruction: str) -> None:
    assert make_filter().refuse(instruction) == "holds the tags of a model's thinking"


def test_a_program_with_addresses_and_blanks_of_its_own_may_keep_them() -> None:
    own = ("Fill in [your name] as http://example.org/form says.",)
    assert make_filter(own=own).refuse("Write [your name] in, see http://example.org.") is None


def test_a_program_that_speaks_so_itself_may_go_on() -> None:
    assert make_filter(own=("I must name the team.",)).refuse("I have to name a team.") is None
    own = "Write <reasoning>why</reasoning>, then the team."
    assert make_filter(own=(own,)).refuse("Put <reasoning> first, then name the team.") is None
