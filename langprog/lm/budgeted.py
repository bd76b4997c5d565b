"""The wrapper that enforces the budgets of a request's ledgers."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import replace

from langprog.errors import Charge, InputError, LangprogWarning, LMError, ModelError
from langprog.lm.budget import Ledger, Reservation
from langprog.lm.cost import Cost
from langprog.lm.price import Price
from langprog.lm.pricing import has_audio, price_in
from langprog.lm.prompt_size import most_tokens
from langprog.lm.streaming import Completed, Delta, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper, layers_of

# Sent as max_tokens if a cap on tokens or dollars needs a bound and the request has none.
LARGEST_REPLY = 4096
# The reservations of the call around this code.
_reserved: ContextVar[list[Reservation] | None] = ContextVar("reserved", default=None)


class Budgeted(Wrapper):
    """Reserves in every ledger of a request before sending it, and settles afterwards.

    Wrap it directly around the client, inside retries, so that every attempt is counted.

    Args:
        inner: The model; if it contains a ``Priced``, that price bounds the dollars.
        in_force: Returns the ledgers that pay for a request that names none.
    """

    def __init__(
        self, inner: LanguageModel, *, in_force: Callable[[], tuple[Ledger, ...]] = tuple
    ) -> None:
        super().__init__(inner)
        self._price = price_in(inner)
        self._in_force = in_force
        self._warned = False

    async def complete(self, request: Request) -> Completion:
        """Answer ``request`` if every ledger can afford it.

        Raises:
            BudgetExceeded: A ledger cannot afford the call.
            ModelError: A ledger caps dollars and the model has no known price.
        """
        request = self._with_payers(request)
        if not request.ledgers:
            return await self._send(request)
        request, reservations = await self._open(request)
        outer = _reserved.set(reservations)
        try:
            completion = await self._send(request)
        except BaseException as error:
            _close(reservations, _charge_of(error))
            raise
        finally:
            _reserved.reset(outer)
        _settle(reservations, completion)
        return completion

    async def _send(self, request: Request) -> Completion:
        if request.sender is None:
            return await self.inner.complete(request)
        return await request.sender(self.inner, request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer if every ledger can afford it; raises like ``complete``.

        A stream that is abandoned before its end is charged the full reservation.
        """
        request, reservations = await self._open(self._with_payers(request))
        try:
            async with aclosing(stream_completion(self.inner, request)) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Completed):
                        _settle(reservations, delta.completion)
                    yield delta
        except BaseException as error:
            _close(reservations, _charge_of(error))
            raise

    def _with_payers(self, request: Request) -> Request:
        if request.ledgers:
            return request
        ledgers = self._in_force()
        return request.with_ledgers(ledgers) if ledgers else request

    async def _open(self, request: Request) -> tuple[Request, list[Reservation]]:
        # If a user's own model calls further models, each of those calls pays for itself. A second
        # reservation for the same call would count it twice, and the two could deadlock.
        outer = _reserved.get()
        if outer and request.ledgers:
            _close(outer, "nothing")
        bounded = any(
            ledger.budget.tokens is not None or ledger.budget.dollars is not None
            for ledger in request.payers
        )
        if bounded:
            self._check_price(request)
            request = self._with_bound(request)
        return request, await self._reserve(request, bounded)

    def _check_price(self, request: Request) -> None:
        capped = any(ledger.budget.dollars is not None for ledger in request.payers)
        if capped and self._price is None:
            raise ModelError(
                f"{self.name} has no known price, so a budget in dollars cannot be enforced: pass "
                "price=lp.Price(input=..., output=...) to lp.LM, or wrap your own model in "
                "langprog.lm.Priced(model, lp.Price(...))"
            )

    def _with_bound(self, request: Request) -> Request:
        sampling = request.sampling.over(self.defaults)
        if sampling.max_tokens is not None:
            return request
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"a budget in tokens or dollars needs a limit per reply: {self.name} is called "
                f"with max_tokens={LARGEST_REPLY}; set max_tokens to choose another limit",
                LangprogWarning,
                stacklevel=2,
            )
        bounded = replace(request.sampling, max_tokens=LARGEST_REPLY)
        return replace(request, sampling=bounded)

    async def _reserve(self, request: Request, bounded: bool) -> list[Reservation]:
        most = largest_cost(request, self) if bounded else Cost(calls=1)
        reservations: list[Reservation] = []
        try:
            for ledger in sorted(request.payers, key=lambda ledger: ledger.order):
                reservations.append(await ledger.reserve(most))
        except BaseException:
            _close(reservations, "nothing")
            raise
        return reservations


def largest_cost(request: Request, model: LanguageModel) -> Cost:
    """Return the most that a call of a model can cost.

    Args:
        request: What is asked.
        model: The model; without a ``Priced`` in it, the dollars are 0.
    """
    prompt = most_tokens(request)
    reply = request.sampling.over(model.defaults).max_tokens or LARGEST_REPLY
    reply *= request.n
    price = price_in(model) or Price(0.0, 0.0)
    dollars = price.upper_bound(prompt, reply, audio=has_audio(request))
    return Cost(calls=1, tokens=prompt + reply, dollars=dollars)


def _charge_of(error: BaseException) -> Charge:
    if isinstance(error, LMError):
        return error.charge
    # A model that cannot be used at all (no key, no library) sent nothing. After anything else,
    # such as a cancellation, the endpoint may still bill the call.
    return "nothing" if isinstance(error, InputError) else "everything"


def _close(reservations: list[Reservation], charge: Charge) -> None:
    while reservations:
        reservations.pop().close(charge)


def _settle(reservations: list[Reservation], completion: Completion) -> None:
    # A user's own model may have answered from a cache; its own calls are already paid.
    if completion.cached:
        return _close(reservations, "nothing")
    while reservations:
        reservations.pop().settle(completion.cost)


def keep_budgets(model: LanguageModel, ledger: Ledger) -> LanguageModel:
    """Return a model that reserves before it sends: ``model`` itself if it already does.

    Args:
        model: A model, possibly a user's own.
        ledger: The ledger that pays; it keeps the wrapper, so that each warning appears once.
    """
    if any(isinstance(layer, Budgeted) for layer in layers_of(model)):
        return model
    # The wrapper keeps the model alive, so its id cannot be reused while this entry exists.
    guard: LanguageModel = ledger.guards.setdefault(id(model), Budgeted(model))
    return guard
