"""The checks of responses, each on a text that keeps the constraint and one that breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import langprog as lp
from benchmarks.tasks.checked import (
    score_accepted,
    score_constraints,
    score_names,
    score_redaction,
)
from benchmarks.tasks.constraints import IFEVAL
from benchmarks.tasks.folder import data_folder, explain_missing_data
from benchmarks.tasks.harder_constraints import IFBENCH
from benchmarks.tasks.public import NAMES, load_public

FOLDER = data_folder()
ALPHABET = " ".join(f"{chr(65 + place)}n end." for place in range(26))
KEPT_AND_BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "change_case:capital_word_frequency",
        {"capital_relation": "at least", "capital_frequency": 2},
        "GO on, GO",
        "Go ON",
    ),
    ("change_case:english_capital", {}, "ALL OF IT 1", "All OF IT"),
    ("change_case:english_lowercase", {}, "all of it 1", "all Of it"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say Hi."}, "say hi. Hi", "Hi. say hi."),
    ("combination:two_responses", {}, "one\n******\ntwo", "one\n******\none"),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] and [b]", "[a] b]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye\nP.S. more", "Bye pss"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye\nP.P.S more", "P.S. a"),
    ("detectable_format:constrained_response", {}, "My answer is no.", "No."),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "a: 1"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1 a\nSection 2 b",
        "Section a\nSection b",
    ),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\n**b**"),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        "*a* **b**",
        "*a* * *",
    ),
    ("detectable_format:title", {}, "<<A title>>\nText", "<< >>\nText"),
    ("keywords:existence", {"keywords": ["sun", "sea"]}, "Sun and Sea", "sun and sand"),
    ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "a party", "Art is"),
    (
        "keywords:frequency",
        {"keyword": "sun", "relation": "less than", "frequency": 2},
        "sun",
        "Sun and sun",
    ),
    (
        "keywords:letter_frequency",
        {"letter": "a", "let_relation": "at least", "let_frequency": 3},
        "Aaa",
        "aab",
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "First this.\n\nThen that.",
        "Then this.\n\nFirst that.",
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
    (
        "length_constraints:number_sentences",
        {"relation": "at least", "num_sentences": 2},
        "It is 3.5 m. Good!",
        "It is 3.5 m.",
    ),
    (
        "length_constraints:number_words",
        {"relation": "less than", "num_words": 3},
        "a b-c",
        "a b c",
    ),
    ("punctuation:no_comma", {}, "a; b", "a, b"),
    ("startend:end_checker", {"end_phrase": "The end."}, 'So. "the end."', "The end. Or not."),
    ("startend:quotation", {}, '"a"', '"a'),
    ("count:conjunctions", {"small_n": 2}, "a and b or c", "a and b and c"),
    (
        "count:keywords_multiple",
        {f"keyword{place}": word for place, word in enumerate("vwxyz", 1)},
        "v w w x x x" + " y" * 5 + " z" * 7,
        "v w w x x x" + " y" * 4 + " z" * 7,
    ),
    ("count:numbers", {"N": 2}, "3 and 4.5", "3 and four"),
    ("count:punctuation", {}, "a, b; c: d. e! What?!", "a, b; c: d. e! What?"),
    ("count:unique_word_count", {"N": 3}, "a b c", "a b B"),
    ("count:word_count_range", {"min_words": 2, "max_words": 3}, "a b", "a b c d"),
    ("custom:sentence_alphabet", {}, ALPHABET, ALPHABET[: -len("Zn end.")]),
    ("format:line_indent", {}, "a\n b\n  c", "a\n b\n b"),
    ("format:list", {"sep": "!?"}, "!? a\n!? b", "- a\n- b"),
    ("format:newline", {}, "a\nb", "a b"),
    ("format:no_bullets_bullets", {}, "It is. So it was.\n* a\n* b", "It is.\n* a\n* b"),
    ("format:no_whitespace", {}, "a-b", "a b"),
    ("format:options", {"options": "yes/no/maybe"}, "Yes.", "Yes, it is"),
    (
        "format:output_template",
        {},
        "My Answer: a My Conclusion: b Future Outlook: c",
        "My Answer: a My Conclusion: Future Outlook: c",
    ),
    ("format:parentheses", {}, "([{([a])}])", "([{(a)}]) [b]"),
    ("format:sub-bullets", {}, "* a\n  - b\n* c\n  - d", "* a\n  - b\n* c"),
    ("repeat:repeat_change", {"prompt_to_repeat": "say it now"}, "tell it now", "say it now"),
    (
        "repeat:repeat_span",
        {"prompt_to_repeat": "a b c d", "n_start": 1, "n_end": 2},
        "b c",
        "b c d",
    ),
    ("sentence:increment", {"small_n": 1}, "A b. A b c.", "A b. A b."),
    ("sentence:keyword", {"word": "sun", "N": 2}, "It is. The sun.", "The sun. It is."),
    ("words:alphabet", {}, "Yes zoo apes", "Yes zoo bees"),
    ("words:consonants", {}, "string myth", "string are"),
    (
        "words:keywords_specific_position",
        {"keyword": "sun", "n": 2, "m": 3},
        "It is. See the sun.",
        "It is. The sun.",
    ),
    ("words:last_first", {}, "It is. Is it?", "It is. It was."),
    ("words:no_consecutive", {}, "big cat", "big bat"),
    (
        "words:palindrome",
        {},
        "level radar civic kayak refer rotor stats tenet madam solos",
        "level level civic kayak refer rotor stats tenet madam solos",
    ),
    ("words:paragraph_last_first", {}, "Sun and sun\nSea and sea", "Sun and sea"),
    ("words:prime_lengths", {}, "it was great", "this"),
    ("words:repeats", {"small_n": 1}, "a b", "a A"),
    ("words:words_position", {"keyword": "sun"}, "A sun is a sun rising", "A sun is a sun"),
]


@pytest.mark.parametrize("name, options, kept, broken", KEPT_AND_BROKEN)
def test_a_constraint_holds_for_one_text_and_not_for_the_other(
    name: str, options: dict[str, Any], kept: str, broken: str
) -> None:
    assert IFBENCH[name](kept, **options)
    assert not IFBENCH[name](broken, **options)


def test_every_constraint_is_tried() -> None:
    assert {name for name, *_ in KEPT_AND_BROKEN} == set(IFBENCH) and set(IFEVAL) < set(IFBENCH)


def test_a_response_has_to_keep_all_and_an_empty_one_keeps_none() -> None:
    constraints = [["punctuation:no_comma", {}], ["count:numbers", {"N": 1}]]
    row = lp.Example(request="Go", constraints=json.dumps(constraints))
    assert score_constraints(row, {"response": "7 a"}) == lp.Score(1.0)
    assert score_constraints(row, {"response": "7, a"}) == lp.Score(0.0, "not kept: no comma")
    empty = score_constraints(row, {"response": " "})
    assert (empty.value, empty.feedback) == (0.0, "not kept: no comma, numbers")


def test_a_redaction_loses_what_is_private_and_nothing_else() -> None:
    row = lp.Example(
        request="Ask Ann Lee of Rome to call",
        redacted="Ask [REDACTED] of [REDACTED] to call",
        private=json.dumps(["ann lee", "rome"]),
    )
    assert score_redaction(row, {"redacted": row.redacted}) == lp.Score(1.0)
    half = score_redaction(row, {"redacted": "Ask [REDACTED] of Rome to call"})
    assert (half.value, half.feedback) == (0.5, "still there: rome")
    nothing = score_redaction(row, {"redacted": ""})
    assert (nothing.value, nothing.feedback) == (0.0, "100% of the other words are gone")
    assert score_redaction(row, {"redacted": row.request}).value == 0.0


def test_any_accepted_result_is_right_and_names_may_stand_in_any_order() -> None:
    row = lp.Example(text="meat", result="neat", accepted=json.dumps(["neat", "feet"]))
    assert score_accepted(row, {"result": " Feet"}).value == 1.0
    assert score_accepted(row, {"result": "foot"}).feedback == "right: neat, feet"
    animals = lp.Example(text="bee, car, ox", result="bee, ox")
    assert score_names(animals, {"result": "ox, bee"}).value == 1.0
    assert score_names(animals, {"result": "ox"}).value == 0.0


@pytest.mark.skipif(FOLDER is None, reason=explain_missing_data())
@pytest.mark.parametrize("name", ["ifeval", "ifbench", "pupa", "induction rhymes", "bbh snarks"])
def test_a_public_task_is_scored_by_its_own_check(name: str) -> None:
    assert FOLDER is not None
    task = load_public(name, FOLDER, 0, known=40, test=20)
    assert name in NAMES and len(task.data) > 20 and len(task.test) > 10
    (asked,) = task.program.signature.inputs
    assert not {row[asked] for row in task.data} & {row[asked] for row in task.test}
    scores = [task.score(row, dict(row)) for row in task.data]
    labelled = all(output in task.data[0] for output in task.outputs)
    assert sum(scores) > 0.9 * len(scores) if labelled else not any(scores)
