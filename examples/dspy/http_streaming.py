"""HTTP streaming in DSPy 3.4.1."""

import json
import sys

import dspy
from aiohttp import web


class PlanAndWrite(dspy.Module):
    def __init__(self):
        super().__init__()
        self.plan = dspy.Predict("question -> points: list[str]")
        self.write = dspy.Predict("question, points: list[str] -> answer, source")

    async def aforward(self, question):
        points = (await self.plan.acall(question=question)).points
        return await self.write.acall(question=question, points=points)


async def answer(request):
    inputs = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def send(kind, **data):
        await response.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())

    program = dspy.streamify(
        PlanAndWrite(),
        stream_listeners=[
            dspy.streaming.StreamListener(signature_field_name="answer"),
            dspy.streaming.StreamListener(signature_field_name="source"),
        ],
        is_async_program=True,
    )
    try:
        async for event in program(question=inputs["question"]):
            if isinstance(event, dspy.streaming.StreamResponse):
                await send("delta", field=event.signature_field_name, text=event.chunk)
            elif isinstance(event, dspy.Prediction):
                await send("done", answer=event.answer, source=event.source)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client has to hear of it
        await send("failed", error=str(error))
    return response


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    app = web.Application()
    app.router.add_post("/answer", answer)
    web.run_app(app, host="localhost", port=int(sys.argv[1]), handler_cancellation=True)
