"""The models of every role in a compile, checked before the task's model is paid."""

from __future__ import annotations

import asyncio
import dis
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from langprog import Budget, Module, Sampling
from langprog.errors import (
    BadRequestError,
    BudgetExceeded,
    ContentFilterError,
    ContextWindowError,
    ModelError,
    TransportError,
)
from langprog.lm import LanguageModel, ModelRef, Request, dialect_of, model_from, price_in
from langprog.runtime import ask, current
from optimizers.evaluation.binding import Model
from optimizers.models.dialects import Question, unwrap

# A reply to the question whether a key is accepted; some endpoints refuse to be held shorter.
REPLY_TOKENS = 16
# How deep a metric is searched for the programs that it asks, and how many objects of it.
DEEPEST, MOST = 6, 2_000
# The model cannot be asked now, or not so; what is asked later will say why.
_LATER = (
    BadRequestError,
    BudgetExceeded,
    ContentFilterError,
    ContextWindowError,
    TransportError,
)


@dataclass(frozen=True)
class ModelRoles:
    """Who asks which models.

    Args:
        program: Models of the program's predictors, in their order.
        search: Models that the search asks or offers beside them.
        offered: Those of them that may become models of the program.
        metric: Models of programs that the metric asks.
    """

    program: Sequence[Model]
    search: Sequence[Model] = ()
    offered: Sequence[Model] = ()
    metric: Sequence[Model] = ()

    @classmethod
    def of(
        cls,
        program: Module,
        needed: Iterable[LanguageModel | ModelRef | str],
        offered: Iterable[LanguageModel | ModelRef | str],
        metric: object,
    ) -> ModelRoles:
        """Collect the models of a compile."""
        judges = find_programs(metric)
        return cls(
            _list_models(program),
            [model_from(model) for model in needed],
            [model_from(model) for model in offered],
            [model for judge in judges for model in _list_models(judge) if _is_known(model)],
        )

    def unpriced(self) -> dict[str, str]:
        """Return names of models without a known price, with who asks them."""
        unpriced: dict[str, str] = {}
        roles = (("program", self.program), ("optimizer", self.search), ("metric", self.metric))
        for role, models in roles:
            for model in models:
                lm = unwrap(model)
                if price_in(lm) is None:
                    unpriced.setdefault(lm.name, role)
        return unpriced

    def check_prices(self, budget: Budget) -> None:
        """Refuse models without a price where a budget is in dollars.

        Raises:
            ModelError: There is one.
        """
        unpriced = self.unpriced()
        if not unpriced or not _caps_dollars(budget):
            return
        name, role = next(iter(unpriced.items()))
        raise ModelError(
            f"the price of {name}, which the {role} asks, is not known, so a budget in dollars "
            "cannot be kept: pass price=lp.Price(input=..., output=...) to lp.LM, or wrap a model "
            "of your own in langprog.lm.Priced(model, lp.Price(...))"
        )

    def describe_unpriced(self, budget: Budget) -> str | None:
        """Return what a missing price means for an estimate; ``None`` where all are known."""
        unpriced = self.unpriced()
        if not unpriced:
            return None
        names = ", ".join(unpriced)
        if _caps_dollars(budget):
            return (
                f"no price is known of {names}: compile will refuse a budget in dollars; pass "
                "price=lp.Price(input=..., output=...) to lp.LM"
            )
        return f"no price is known of {names}, so the dollars for it are not estimated"

    async def check_keys(self, question: Question) -> None:
        """Find out whether proposer, teacher and judge accept their keys, by a short request each.

        Left out are models of the search that are asked for their dialect anyway, and those that
        are or may become a model of the program: their first calls say it.

        Args:
            question: What is asked.

        Raises:
            AuthError: A key is not accepted.
        """
        own = [model for model in self.search if dialect_of(unwrap(model)) is None]
        asked = {id(unwrap(model)): model for model in (*own, *self.metric)}
        for model in (*self.program, *self.offered):
            asked.pop(id(unwrap(model)), None)
        request = Request(question.messages, Sampling(max_tokens=REPLY_TOKENS))
        await asyncio.gather(*(_check_key(model, request) for model in asked.values()))


async def _check_key(model: Model, request: Request) -> None:
    try:
        await ask(model, request)
    except _LATER:
        return


def _list_models(program: Module) -> list[Model]:
    models = [predictor.model for predictor in program.predictors().values()]
    if current().lm is None:  # nothing to stand for a model that is not named
        models = [model for model in models if model is not None]
    return list(dict.fromkeys(models))


def _is_known(model: Model) -> bool:
    # A program that a metric holds need not be one that it asks.
    try:
        unwrap(model)
    except ModelError:
        return False
    return True


def _caps_dollars(budget: Budget) -> bool:
    budgets = (budget, *(ledger.budget for ledger in current().ledgers))
    return any(each.dollars is not None for each in budgets)


def find_programs(metric: object) -> list[Module]:
    """Return the language programs that a metric may ask, as far as can be seen.

    Looks into what a function closes over, its defaults, the globals that it names, and the
    attributes of objects.
    """
    modules: dict[int, Module] = {}
    for module in _walk(metric, DEEPEST, set()):
        modules.setdefault(id(module), module)
    return list(modules.values())


def _walk(value: Any, depth: int, seen: set[int]) -> Iterator[Module]:
    if isinstance(value, Module):
        yield value
    elif depth and id(value) not in seen and len(seen) < MOST:
        seen.add(id(value))
        for part in _list_parts(value):
            yield from _walk(part, depth - 1, seen)


def _list_parts(value: Any) -> list[Any]:
    if isinstance(value, FunctionType):
        cells = [_read_cell(cell) for cell in value.__closure__ or ()]
        names = _list_globals(value.__code__)
        named = [value.__globals__[name] for name in names if name in value.__globals__]
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return [*cells, *defaults, *named]
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, type) or type(value).__module__ in ("builtins", "types"):
        return []
    called = vars(type(value)).get("__call__")
    own = getattr(value, "__dict__", {})
    return [*own.values(), called]


def _list_globals(code: CodeType) -> list[str]:
    """Return the global names that a function reads, and functions inside it."""
    names = [
        str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"
    ]
    inside = [each for each in code.co_consts if isinstance(each, CodeType)]
    return list(
        dict.fromkeys([*names, *(name for each in inside for name in _list_globals(each))])
    )


def _read_cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that has no value yet
        return None
