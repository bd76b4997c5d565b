"""The wrapper that learns an endpoint's dialect where a turn takes hours."""

from __future__ import annotations

from typing import TypeVar

from langprog.errors import BadRequestError
from langprog.lm.dialect import Answer, Negotiated
from langprog.lm.refusals import Refusal, refusal_in
from langprog.lm.types import Request

T = TypeVar("T")


class NegotiatedTogether(Negotiated):
    """Adapts all rejected requests at once, instead of one of them while the others wait.

    In a batch, all requests with a rejected setting come back rejected together, and each further
    attempt is another batch. So each of them drops what its own rejection names, and all go into
    the next batch. Only vague rejections are searched for as usual, one request at a time.
    """

    async def _settle(
        self,
        whole: Request,
        answer: Answer[T],
        error: BadRequestError | None = None,
        *,
        streamed: bool = False,
    ) -> tuple[T, Request]:
        guesses: list[Refusal] = []
        sent = whole
        while True:
            if error is None:
                sent = self._adapt(whole, guesses)
                try:
                    answered = await answer(sent, False)
                except BadRequestError as refused:
                    error = refused
                else:
                    await self._confirm(guesses, whole, answered)
                    return answered, sent
            refusal = refusal_in(error, sent, streamed=streamed)
            if refusal is None:
                raise error
            if refusal.setting is None:
                return await super()._settle(whole, answer, error, streamed=streamed)
            guesses.append(refusal)
            error = None
