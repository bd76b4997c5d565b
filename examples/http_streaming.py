"""HTTP streaming: each field goes out while the model writes it, as server-sent events.

    python examples/http_streaming.py 8080    # with OPENAI_API_KEY, or OPENAI_BASE_URL
    curl -N -d '{"question": "Why is the sky blue?"}' http://localhost:8080/answer

A client that leaves ends the model's work as well.
"""

import json
import sys
from contextlib import aclosing

from aiohttp import web

import langprog as lp

program = lp.Pipeline(
    plan=lp.Predict("question -> points: list[str]"),
    write=lp.Predict("question, points: list[str] -> answer, source"),
)


async def answer(request):
    inputs = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def send(kind, **data):
        await response.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())

    try:
        async with aclosing(program.astream(question=inputs["question"])) as events:
            async for event in events:
                match event:
                    case lp.FieldDelta(path="write"):
                        await send("delta", field=event.field, text=event.text)
                    case lp.StepReset(path="write"):  # what came so far is void
                        await send("reset")
                    case lp.Prediction():
                        await send("done", answer=event.answer, source=event.source)
    except lp.LangprogError as error:
        await send("failed", error=str(error))
    return response


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    app = web.Application()
    app.router.add_post("/answer", answer)
    web.run_app(app, host="localhost", port=int(sys.argv[1]), handler_cancellation=True)
