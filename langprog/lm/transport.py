"""What went wrong on the way to an endpoint, as our errors."""

from __future__ import annotations

import builtins

from langprog.errors import ConnectError, LMError, ServerError, TimeoutError
from langprog.lm.http_body import ReplyTooLarge


class ErrorTranslator:
    """Raises our errors in place of aiohttp's; one instance serves all calls of a client."""

    def __init__(self, name: str, base: str, timeout: float) -> None:
        self._name, self._base, self._timeout = name, base, timeout

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: object
    ) -> None:
        if error is not None and (ours := self._to_lm_error(error)) is not None:
            raise ours from None

    def _to_lm_error(self, error: BaseException) -> LMError | None:
        """Return our error for one of aiohttp's; ``None`` for any other."""
        import aiohttp  # noqa: PLC0415 - a quarter of a second that embedded models do not need

        if isinstance(error, builtins.TimeoutError):
            return TimeoutError(
                f"{self._name}: no answer in {self._timeout:g} s", model=self._name
            )
        if isinstance(error, (ReplyTooLarge, aiohttp.ClientPayloadError)):
            what = error if isinstance(error, ReplyTooLarge) else "the reply was cut off"
            return ServerError(f"{self._name}: {what}", model=self._name, charge="everything")
        if isinstance(error, (aiohttp.ClientError, OSError)):
            # Without a connection nothing was sent; a broken one may have delivered the request.
            unreached = isinstance(error, aiohttp.ClientConnectorError)
            return ConnectError(
                f"{self._name}: {self._base} cannot be reached ({type(error).__name__}): "
                "check that it is running, and the address",
                model=self._name,
                charge="nothing" if unreached else "everything",
            )
        return None
