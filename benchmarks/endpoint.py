"""A canned OpenAI-compatible endpoint on loopback, in its own process.

It answers every chat completion with the same text and does as little as possible, so that the
client is what is measured.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

REPLIES = {
    # One reply in the three formats of the measured clients, readable by each of them.
    "content": "[[answer]]\nfine\n\n[[ ## answer ## ]]\nfine\n\n[[ ## completed ## ]]",
}

# Length of the queue of new connections; more would retry after a second.
BACKLOG = 4096


def _body() -> bytes:
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "canned",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": REPLIES["content"]},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 60, "completion_tokens": 5, "total_tokens": 65},
        }
    ).encode()


async def _serve(latency: float) -> None:
    body = _body()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n"
    )
    reply = head.encode() + body

    requests = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                if request.startswith(b"GET"):
                    number = str(requests)
                    length = len(number)
                    writer.write(
                        f"HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{number}".encode()
                    )
                    break
                requests += 1
                length = 0
                for line in request.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                await reader.readexactly(length)
                if latency:
                    await asyncio.sleep(latency)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


@contextmanager
def canned_endpoint(latency: float = 0.0) -> Iterator[str]:
    """Run the endpoint in another process; yields its base URL. See :func:`count_requests`.

    Args:
        latency: Seconds from a request to its reply.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.endpoint", str(latency)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


def count_requests(url: str) -> int:
    """Return how many requests for completions an endpoint got."""
    with urllib.request.urlopen(url) as reply:
        return int(reply.read())


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
