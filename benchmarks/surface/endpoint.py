"""The simulated model: how likely it answers right is a known function of the prompt.

Chance of a right answer: a logistic function of the model's size, of phrases in the instruction
(some help, some harm, most do nothing), of demonstrations whose item is of the same kind as the
one in the question (and whose answer is right), of the item's difficulty, and, in the second
module, of whether the first was right. It reads both our chat format and DSPy's.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

Messages = Sequence[tuple[str, str]]

LABELS = {
    "kind": ("amber", "basalt", "cobalt", "damask"),
    "answer": ("east", "north", "south", "west"),
}
ITEM = re.compile(r"item (\d+)")
FIELD = re.compile(r"\[\[(?: ## )?(\w+)(?: ## )?\]\]\n(.*?)(?=\n+\[\[|\Z)", re.S)
JSON_FIELD = re.compile(r'"(\w+)": "\{')
# Outputs of the proposers of all optimizers: each of them is answered with a proposal.
PROPOSED = ("instruction", "proposed_instruction", "new_instruction", "improved_instruction")

HELP = ("weigh every clue", "compare with the closest case", "name the deciding word")
HARM = ("answer at once", "trust the first impression")
IDLE = (
    "be polite",
    "use plain words",
    "stay calm",
    "read the item",
    "keep the format",
    "think of the reader",
    "be brief",
    "mind the spelling",
)
# Logits: of the helpful phrases by rank, of a harmful one, of a matching demonstration (and how
# many of them count), of a wrong answer of the first module.
HELP_WEIGHTS = (0.9, 0.7, 0.5)
HARM_WEIGHT, DEMO_WEIGHT, DEMOS_COUNTED, WRONG_FIRST = -0.6, 0.4, 3, -1.6
KEPT = 0.7  # of the phrases of an instruction that is rewritten
SIZES: Mapping[str, float] = {"small": 0.0, "large": 0.8}


def unit(*parts: object) -> float:
    """Return a number in [0, 1) that depends only on ``parts``."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


@dataclass
class Surface:
    """A simulated model that counts its requests.

    Args:
        seed: Decides which phrases help which module, and how hard each item is.
        base: Logit of a right answer under a bare prompt, by module.
        steadiness: Share of an answer's randomness that is due to the item, not the prompt.
        size: "small" or "large".
    """

    seed: int
    base: Mapping[str, float] = field(default_factory=lambda: {"kind": -0.25, "answer": -0.1})
    steadiness: float = 0.7
    size: str = "small"
    calls: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str] = set()

    def __deepcopy__(self, memo: object) -> Surface:
        return self  # DSPy copies its models; what they ask is counted in one place

    # --- the truth ------------------------------------------------------------------------------

    def label(self, module: str, item: int) -> str:
        """Return the right answer of ``module`` for an item."""
        labels = LABELS[module]
        return labels[int(unit(self.seed, module, "label", item) * len(labels))]

    def difficulty(self, module: str, item: int) -> float:
        """Return how hard an item is, in logits: normal with standard deviation 1."""
        radius, angle = (unit(self.seed, module, name, item) for name in ("hard", "hard 2"))
        return math.sqrt(-2 * math.log(1 - radius)) * math.cos(2 * math.pi * angle)

    def instruction_effect(self, module: str, text: str) -> float:
        """Return the logits that an instruction adds."""
        low = text.lower()
        order = sorted(HELP, key=lambda phrase: unit(self.seed, module, "order", phrase))
        good = sum(w for phrase, w in zip(order, HELP_WEIGHTS, strict=True) if phrase in low)
        return good + sum(HARM_WEIGHT for phrase in HARM if phrase in low)

    def chance(self, module: str, messages: Messages, item: int, first_right: bool) -> float:
        """Return the probability that the answer to this prompt is right."""
        kind = self.label(module, item)
        matching = 0
        for (_, question), (role, answer) in zip(messages, messages[1:], strict=False):
            match = ITEM.search(question)
            if role != "assistant" or match is None:
                continue
            shown = int(match[1])
            right = self.label(module, shown)
            if right == kind and dict(FIELD.findall(answer)).get(module, "").strip() == right:
                matching += 1
        logit = (
            self.base[module]
            + SIZES[self.size]
            + self.instruction_effect(module, messages[0][1])
            + DEMO_WEIGHT * min(matching, DEMOS_COUNTED)
            - self.difficulty(module, item)
            + (0.0 if first_right else WRONG_FIRST)
        )
        return 1 / (1 + math.exp(-logit))

    # --- the endpoint ---------------------------------------------------------------------------

    def answer(self, messages: Messages, variation: object = None) -> str:
        """Answer a prompt: the same way for the same prompt and ``variation`` (seed, rollout)."""
        text = "\x1e".join(content for _, content in messages)
        key = f"{text}\x1e{variation}"
        with self._lock:
            if key not in self._asked:
                self._asked.add(key)
                self.calls += 1
        dspy = "[[ ## " in messages[0][1] or "[[ ## " in messages[-1][1]
        for module in ("answer", "kind"):
            if _asks_for(messages, module):
                return _write({module: self._solve(module, messages, text)}, dspy)
        if "```" in text and len(messages) == 1:
            return f"```\n{self._propose(text, variation)}\n```"
        in_json = JSON_FIELD.findall(messages[0][1].partition("Outputs will be a JSON object")[2])
        if in_json:
            return json.dumps(
                {name: self._write_output(name, text, variation) for name in in_json}
            )
        outputs = _outputs(messages)
        return _write({name: self._write_output(name, text, variation) for name in outputs}, dspy)

    def _solve(self, module: str, messages: Messages, text: str) -> str:
        last = messages[-1][1].split("\n\nRespond with")[0]
        match = ITEM.search(last)
        item = int(match[1]) if match else 0
        given = dict(FIELD.findall(last)).get("kind", "").strip()
        first_right = (
            module == "kind"
            or "[[kind]]" not in _normalize_marks(last)
            or given == self.label("kind", item)
        )
        chance = self.chance(module, messages, item, first_right)
        shared, own = unit(self.seed, module, "luck", item), unit(self.seed, "own", text)
        # Mixed through normal quantiles, so that the mixture is uniform again.
        luck = _mix(shared, own, self.steadiness)
        right = self.label(module, item)
        labels = LABELS[module]
        other = labels[(labels.index(right) + 1 + int(own * 3)) % len(labels)]
        return right if luck < chance else other if other != right else labels[0]

    def _write_output(self, name: str, text: str, variation: object) -> str:
        if name in PROPOSED:
            return self._propose(text, variation)
        return "Items with a number; each has one label."

    def _propose(self, text: str, variation: object) -> str:
        """Return an instruction of a few phrases.

        With mistakes in the prompt, helpful phrases are likelier, and the phrases of the current
        instruction are mostly kept, as in a revision.
        """
        low = text.lower()
        informed = "wanted" in low or "feedback" in low
        good = 0.4 if informed else 0.22
        phrases = [
            phrase
            for phrase in (*HELP, *HARM, *IDLE)
            if informed and phrase in low and unit(self.seed, "keep", text, phrase) < KEPT
        ]
        for number in range(2 if phrases else 4):
            luck = unit(self.seed, "phrase", text, variation, number)
            which = unit(self.seed, "which", text, variation, number)
            pool = HELP if luck < good else HARM if luck < good + 0.1 else IDLE
            phrases.append(pool[int(which * len(pool))])
        return f"Give the label: {'; '.join(dict.fromkeys(phrases))}."


def _mix(shared: float, own: float, weight: float) -> float:
    normal = NormalDist()
    a, b = (normal.inv_cdf(min(max(u, 1e-9), 1 - 1e-9)) for u in (shared, own))
    return normal.cdf(math.sqrt(weight) * a + math.sqrt(1 - weight) * b)


def _normalize_marks(text: str) -> str:
    return text.replace("[[ ## ", "[[").replace(" ## ]]", "]]")


def _asks_for(messages: Messages, module: str) -> bool:
    system, last = _normalize_marks(messages[0][1]), _normalize_marks(messages[-1][1])
    if not ITEM.search(last) or any(f"[[{name}]]" in system for name in PROPOSED):
        return False
    return f"[[{module}]]" in system and f"[[{module}]]\n" not in last.split("Respond with")[0]


def _outputs(messages: Messages) -> list[str]:
    """Return the outputs that a prompt requests: the marks of its head without a value."""
    system, last = _normalize_marks(messages[0][1]), _normalize_marks(messages[-1][1])
    marks = re.findall(r"\[\[(\w+)\]\]", system)
    given = set(re.findall(r"\[\[(\w+)\]\]\n", last.split("Respond with")[0]))
    return [m for m in dict.fromkeys(marks) if m not in given and m != "completed"] or ["text"]


def _write(values: Mapping[str, str], dspy: bool) -> str:
    if dspy:
        body = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in values.items())
        return f"{body}\n\n[[ ## completed ## ]]"
    return "\n".join(f"[[{name}]]\n{value}" for name, value in values.items())
