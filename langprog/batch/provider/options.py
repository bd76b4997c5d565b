"""The settings of batches at a provider."""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog.errors import InputError
from langprog.knobs import check_knobs, takes_number, takes_whole


@dataclass(frozen=True, slots=True)
class ProviderBatches:
    """How requests are sent as batches of an OpenAI-compatible endpoint.

    Args:
        poll: Seconds between questions how far a batch is.
        discount: The part of the price that batches save: 0.5 means half price.
        attempts: How often a request is sent at most, if it fails for the endpoint's fault or
            its batch expires.
        requests_per_file: Most requests of one batch.
        bytes_per_file: Most bytes of one batch.
        gather: Seconds without a new request after which those that wait are sent.
        window: The time within which the provider is to answer, as its API calls it.
        path: What each request is for, as the provider's API calls it.

    Raises:
        InputError: A value is out of range.
    """

    poll: float = field(default=30.0, metadata=takes_number(0, 86_400, above=True))
    discount: float = field(default=0.5, metadata=takes_number(0, 1))
    attempts: int = field(default=4, metadata=takes_whole(1, 100))
    requests_per_file: int = field(default=50_000, metadata=takes_whole(1))
    bytes_per_file: int = field(default=100_000_000, metadata=takes_whole(1000, 10**10))
    gather: float = field(default=2.0, metadata=takes_number(0, 3600))
    window: str = "24h"
    path: str = "/v1/chat/completions"

    def __post_init__(self) -> None:
        check_knobs(self)
        if not self.path.startswith("/") or not self.window:
            raise InputError(
                "ProviderBatches: path begins with /, as in /v1/chat/completions, and window is a "
                "time, as in 24h"
            )
