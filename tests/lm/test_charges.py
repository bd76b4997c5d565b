"""What a call that failed is charged with: nothing, a call, or all that it could have taken."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from langprog.errors import LMError
from langprog.lm import (
    Budget,
    Budgeted,
    Cost,
    Ledger,
    OpenAICompatible,
    Price,
    Priced,
    Sampling,
    stream_completion,
)
from tests.lm.endpoint import Answer, asking, client, good, refuses, resets, says, sends, stalls
from tests.lm.test_http_body import raw

NOTHING, CALL = Cost(), Cost(1)
# 16 for the message, 5 for its bytes, 50 for the reply; at a dollar for a million.
ALL = Cost(1, 71, 71e-6)
HEAD = "200 OK\r\nContent-Type: application/json"
CASES: dict[str, tuple[Answer, Cost]] = {
    "400": (refuses(400), NOTHING),
    "401": (refuses(401), NOTHING),
    "403": (refuses(403), NOTHING),
    "404": (refuses(404), NOTHING),
    "422": (refuses(422), NOTHING),
    "413": (refuses(413), NOTHING),
    "429": (refuses(429), NOTHING),
    "redirect": (says({}, 307, Location="http://127.0.0.1:1/"), NOTHING),
    "500": (refuses(500), CALL),
    "502": (refuses(502), CALL),
    "503": (refuses(503), CALL),
    "504": (refuses(504), ALL),
    "408": (refuses(408), ALL),
    "no answer in time": (stalls(), ALL),
    "reset after sending": (resets(), ALL),
    "cut off": (raw(f"{HEAD}\r\nContent-Length: 500", b'{"choices": ['), ALL),
    "no completion": (sends(b"<html>"), ALL),
    "too large": (raw(f"{HEAD}\r\nContent-Length: 99999999999", b"{"), ALL),
    "broken off": (says(good({"message": {"content": "x"}, "finish_reason": "error"})), ALL),
    "filtered": (says(good({"message": {"content": ""}, "finish_reason": "SAFETY"})), ALL),
    "an outage inside a 200": (says({"error": {"message": "m", "code": 503}}), ALL),
    "a rate limit inside a 200": (says({"error": {"message": "m", "code": 429}}), NOTHING),
    "odd usage": (says({**good(), "usage": {"prompt_tokens": -1}}), ALL),
    "no usage": (says({"choices": good()["choices"]}), ALL),
}


async def paid(model: OpenAICompatible, *, streamed: bool) -> Cost:
    """Return what one call is charged with."""
    ledger = Ledger(Budget(dollars=1.0))
    budgeted = Budgeted(Priced(model, Price(1.0, 1.0)))
    request = asking(sampling=Sampling(max_tokens=50), ledgers=(ledger,))

    with suppress(LMError):
        if streamed:
            async for _ in stream_completion(budgeted, request):
                pass
        else:
            await budgeted.complete(request)
    assert ledger.reserved == Cost()
    return ledger.paid


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", CASES)
def test_what_is_charged(case: str, streamed: bool) -> None:
    answer, charge = CASES[case]

    async def run() -> Cost:
        async with client(answer, timeout=0.2) as (model, _):
            return await paid(model, streamed=streamed)

    assert asyncio.run(run()) == charge


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_connection_that_is_refused_is_not_charged(streamed: bool) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]

    async def run() -> Cost:
        model = OpenAICompatible("test/model", base_url=f"http://127.0.0.1:{port}/v1")
        try:
            return await paid(model, streamed=streamed)
        finally:
            await model.aclose()

    assert asyncio.run(run()) == NOTHING
