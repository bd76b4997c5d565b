"""Models whose completions a journal keeps."""

from __future__ import annotations

from langprog.lm import (
    CallMemo,
    Completion,
    LanguageModel,
    Ledger,
    Recorded,
    RecordedEach,
    keep_budgets,
)
from optimizers.evaluation.binding import KnownModels


class ModelRecorder:
    """Wraps models so that a memo answers first and keeps what they answer.

    Args:
        memo: The journal.
        ledger: Pays for the calls.
        earlier: Answers what the journal cannot, such as the journal of another compile.
    """

    def __init__(self, memo: CallMemo, ledger: Ledger, earlier: CallMemo | None = None) -> None:
        self._memo = memo
        self._ledger = ledger
        self._earlier = earlier
        self._models = KnownModels()
        self._wrapped: dict[int, tuple[LanguageModel, Recorded]] = {}

    def __call__(self, model: LanguageModel) -> LanguageModel:
        """Return ``model`` wrapped."""
        # One wrapper per model, so that identical requests in flight at once are sent only once.
        known = self._wrapped.get(id(model))
        if known is None:
            self._models.add(model)
            counted = keep_budgets(model, self._ledger)
            if self._earlier is not None:
                counted = Recorded(counted, self._earlier)
            # Keep the model alive, so that its id is not reused for another object.
            known = self._wrapped[id(model)] = (model, Recorded(counted, self._memo))
        return known[1]

    def each(self, model: LanguageModel) -> LanguageModel:
        """Return a wrapped model, wrapped otherwise: it answers identical requests one by one."""
        assert isinstance(model, Recorded)
        known = self._wrapped.get(id(model))
        if known is None:
            known = self._wrapped[id(model)] = (model, RecordedEach(model.inner, self._memo))
        return known[1]


class Replay:
    """Answers models from memos, and keeps nothing in them.

    Args:
        *memos: Asked in this order.
    """

    def __init__(self, *memos: CallMemo) -> None:
        self._memos = memos
        self._wrapped: dict[int, tuple[LanguageModel, Recorded]] = {}

    def __call__(self, model: LanguageModel) -> LanguageModel:
        """Return ``model`` wrapped."""
        known = self._wrapped.get(id(model))
        if known is None:
            known = self._wrapped[id(model)] = (model, Recorded(model, self))
        return known[1]

    def get(self, key: str) -> Completion | None:
        """Return the completion of a request that a memo knows."""
        known = (memo.get(key) for memo in self._memos)
        return next((completion for completion in known if completion is not None), None)

    def put(self, key: str, completion: Completion) -> None:
        """Keep nothing: the memos belong to others."""
