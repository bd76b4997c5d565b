"""The tasks as programs, with instructions that a person wrote for each."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import langprog as lp
from benchmarks.tasks.intents import Task, banking77, clinc150
from benchmarks.tasks.short_texts import scone, sst2, trec
from langprog.evaluation import Metric, exact

# Rows for demonstrations and for choosing; the test part of the data is for the rest.
TRAIN, VALIDATION = 80, 100

TASKS: Mapping[str, Callable[[Path, int], Task]] = MappingProxyType(
    {
        "sst2": lambda folder, seed: sst2(folder, seed, sizes=(TRAIN, VALIDATION)),
        "trec": lambda folder, seed: trec(folder, seed, sizes=(TRAIN, VALIDATION)),
        "scone": lambda folder, seed: scone(folder, seed, sizes=(TRAIN, VALIDATION)),
        "clinc150": lambda folder, seed: mix_labels(
            clinc150(folder, 10, seed, each=(TRAIN // 10, VALIDATION // 10)), seed
        ),
        "banking77": lambda folder, seed: mix_labels(
            banking77(folder, 5, seed, each=(TRAIN // 5, VALIDATION // 5)), seed
        ),
    }
)

# The first three are those of the survey: terse, plain (what is compiled), and detailed. All but
# the plain one are the written proposals of the comparison.
WRITTEN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sst2": (
            "Sentiment?",
            "Classify the sentiment of the sentence.",
            "Read the sentence from a film review. If its writer likes the film, the sentiment is "
            "positive. If its writer dislikes the film, the sentiment is negative.",
            "You are a film critic. Say whether the sentence praises the film or complains.",
            "Decide whether the sentence is positive or negative. Look for words of praise and "
            "for words of blame, and for words such as not, but and too that turn them around.",
            "Is this a good or a bad review?",
        ),
        "trec": (
            "Kind of answer?",
            "Classify the question by the kind of its answer.",
            "Say what the question asks for. Who asks for a human, where for a location, when and "
            "how many for a number, why and how for a description. What an abbreviation stands "
            "for is an abbreviation. Any other thing is an entity.",
            "You sort questions for a library. Choose the kind of answer that the question needs.",
            "If the question asks for a person or a group, answer human. If it asks for a place, "
            "answer location. If it asks for a date, an amount or a count, answer number. If it "
            "asks for a definition, a reason or a way, answer description. Else answer entity.",
            "Think about what a good answer to the question would be: a human, a location, a "
            "number, a description, an entity or an abbreviation.",
        ),
        "scone": (
            "Entailment?",
            "Decide whether the hypothesis follows from the premise.",
            "If the hypothesis must be true whenever the premise is true, answer entailment. If "
            "the hypothesis may be false although the premise is true, answer neutral. A dog is "
            "an animal, but an animal need not be a dog; the word not turns this around.",
            "You are a logician. Does the premise prove the hypothesis?",
            "Compare the two sentences word by word. Where the hypothesis says something more "
            "special than the premise, answer neutral, unless both deny it.",
            "Can the hypothesis be false while the premise is true? If yes, answer neutral.",
        ),
        "clinc150": (
            "Intent?",
            "Classify the intent of the text.",
            "Read what the user wrote to an assistant, and choose the intent that says what the "
            "user wants the assistant to do. Choose only one of the listed intents.",
            "You route requests in a call centre. Choose the intent that fits the request best.",
            "Which of the intents has the words that are closest in meaning to the text?",
            "What does the user want? Look at the verb and its object, and choose the intent.",
        ),
        "banking77": (
            "Intent?",
            "Classify the intent of the text.",
            "Read what the customer wrote to a bank, and choose the intent that says what the "
            "customer's problem or question is. Choose only one of the listed intents.",
            "You work at the help desk of a bank. Choose the intent that fits the message best.",
            "Which of the intents has the words that are closest in meaning to the text?",
            "What does the customer ask about? Look for what went wrong, and choose the intent.",
        ),
    }
)
PLAIN = 1


def mix_labels(task: Task, seed: int) -> Task:
    """Return a task with its validation and holdout in random order: parts are taken of them.

    Args:
        task: The task; its rows may be sorted by label.
        seed: Decides the order.
    """
    rng = random.Random(seed)
    validation, holdout = (
        tuple(rng.sample(part, len(part))) for part in (task.validation, task.holdout)
    )
    return replace(task, validation=validation, holdout=holdout)


def load_task(name: str, folder: Path, seed: int) -> Task:
    """Load a task, with its plain instruction.

    Args:
        name: One of ``TASKS``.
        folder: The folder of the public data sets.
        seed: Decides which rows are used.
    """
    task = TASKS[name](folder, seed)
    return replace(task, signature=task.signature.with_instruction(WRITTEN[name][PLAIN]))


def metric_of(task: Task) -> Metric:
    """Return the metric: is the label the right one?"""
    (label,) = task.signature.outputs
    return exact(label)


def program_of(task: Task) -> lp.Predict:
    """Return the program that is compiled, with its plain instruction and no demonstrations."""
    return lp.Predict(task.signature)
