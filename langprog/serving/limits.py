"""What a server accepts, and for how long it works on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog.knobs import check_knobs, takes_number, takes_whole


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server.

    Args:
        body: Largest body of a request, in bytes.
        upload: Seconds that a client may take to send a request's head, and its body.
        concurrency: Calls of programs at the same time.
        queue: Requests that may wait for their turn; more are answered 429.
        seconds: Seconds for a call, the wait included.
        rows: Rows of a batch.
        batch_seconds: Seconds for a batch.
        drain: Seconds that requests under way have left when the server stops.

    Raises:
        InputError: A limit is out of range.
    """

    body: int = field(default=16 * 2**20, metadata=takes_whole(1024, 2**30))
    upload: float = field(default=30.0, metadata=takes_number(0.01, 3600))
    concurrency: int = field(default=64, metadata=takes_whole(1))
    queue: int = field(default=256, metadata=takes_whole(0))
    seconds: float = field(default=120.0, metadata=takes_number(0.01, 86_400))
    rows: int = field(default=1000, metadata=takes_whole(1))
    batch_seconds: float = field(default=600.0, metadata=takes_number(0.01, 86_400))
    drain: float = field(default=30.0, metadata=takes_number(0, 86_400))

    def __post_init__(self) -> None:
        check_knobs(self)

    @property
    def batch_width(self) -> int:
        """Rows of a batch at the same time; the rest is left to other requests."""
        return max(1, self.concurrency // 4)
