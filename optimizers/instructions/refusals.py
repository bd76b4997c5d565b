"""Counts the proposals that were refused, and says so where none is left."""

from __future__ import annotations

from collections import Counter

from optimizers.run import Run

# Reasons in a note; the rest is in the journal.
MOST_REASONS = 3
# What a user can change, by words of the reason.
ADVICE = (
    ("words, more than", "Proposing(hygiene=Hygiene(most_words=...)) admits longer ones"),
    ("a fragment of", "Proposing(hygiene=Hygiene(fewest_words=...)) admits shorter ones"),
    ("copies training text", "Proposing(hygiene=Hygiene(copied_words=...)) allows longer quotes"),
    ("cut off at", "Proposing(max_tokens=...) allows longer ones"),
)


class Refusals:
    """What became of the proposals for one predictor."""

    def __init__(self, run: Run, path: str) -> None:
        self._run = run
        self._path = path
        self._proposals = 0
        self._reasons: Counter[str] = Counter()
        self._errors: list[str] = []

    def admit(self) -> None:
        """Count a proposal that was admitted."""
        self._proposals += 1

    def record(self, reason: str, instruction: str | None, error: str = "") -> None:
        """Count and log a proposal that was rejected, or an attempt that produced none.

        Args:
            reason: Category it is counted under.
            instruction: The rejected text; ``None`` if there is none.
            error: What went wrong, if ``instruction`` is ``None``.
        """
        self._proposals += 1
        self._reasons[reason] += 1
        if instruction is None:
            self._errors.append(error or reason)
        data = {"path": self._path, "reason": reason, "instruction": instruction}
        self._run.log("refused", data)

    def say(self) -> None:
        """Write a note if every proposal was refused, or if requests for some failed."""
        refused, total = self._reasons.total(), self._proposals
        if refused and refused == total:
            common = self._reasons.most_common()
            reasons = [f"{reason} ({count})" for reason, count in common[:MOST_REASONS]]
            if len(common) > MOST_REASONS:
                reasons.append("and others")
            text = f"{refused} of {total} proposals for {self._path} were refused, because: "
            text += ", ".join(reasons) + self._detail()
            self._run.note(text + self._advise(), warning=True)
        elif self._errors:
            text = f"{len(self._errors)} of {total} proposals for {self._path} failed"
            self._run.note(text + self._detail())

    def _detail(self) -> str:
        return f"; the first: {self._errors[0]}" if self._errors else ""

    def _advise(self) -> str:
        advice = [
            text for words, text in ADVICE if any(words in reason for reason in self._reasons)
        ]
        return f". {'; '.join(advice)}" if advice else ""
