"""Every error that langprog raises on purpose.

The tree::

    LangprogError
    ├── InputError              something that the user handed over is wrong (also a ValueError)
    │   ├── SignatureError      a signature, a field or the wiring of a pipeline
    │   ├── ExampleError        a row of a data file, or an example that lacks a field
    │   ├── ModelError          a model name, a missing key or a missing price
    │   ├── MetricError         a metric that raises or returns something that is not a score
    │   └── ArtifactError       an artifact that is damaged, too new or incomplete
    ├── LMError                 a language model did not give a usable completion
    │   ├── TransportError      worth trying again; never the program's fault
    │   │   ├── RateLimitError  429; carries ``retry_after``
    │   │   ├── ServerError     5xx, or a reply that is not a completion (cut off, wrong type)
    │   │   ├── ConnectError    refused, reset, unreachable
    │   │   └── TimeoutError    no answer in time
    │   ├── AuthError           401, 403
    │   ├── BadRequestError     400, 404, 422: the request itself is refused
    │   ├── ContextWindowError  the prompt is longer than the model reads
    │   ├── ContentFilterError  the provider refused the content
    │   └── TruncatedError      the reply was cut off at the limit of tokens
    ├── ParseError              a completion that cannot be read as the signature's outputs
    ├── BudgetExceeded          the next call would pass the hard cap
    └── FrozenError             a frozen program was written to
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "ArtifactError",
    "AuthError",
    "BadRequestError",
    "BudgetExceeded",
    "ConnectError",
    "ContentFilterError",
    "ContextWindowError",
    "ExampleError",
    "FrozenError",
    "InputError",
    "LMError",
    "LangprogError",
    "LangprogWarning",
    "MetricError",
    "ModelError",
    "ParseError",
    "RateLimitError",
    "ServerError",
    "SignatureError",
    "TimeoutError",
    "TransportError",
    "TruncatedError",
]


class LangprogError(Exception):
    """Base class of every error that langprog raises on purpose."""


class LangprogWarning(UserWarning):
    """Something was done in another way than asked for, such as a setting that was left out."""


class InputError(LangprogError, ValueError):
    """Something handed over is wrong; the message says what, where and what to do."""


class SignatureError(InputError):
    """A signature, one of its fields or the wiring of a pipeline is wrong."""


class ExampleError(InputError):
    """A row of a data file is wrong, or an example lacks a field."""


class ModelError(InputError):
    """A model name is unknown, a key is missing or a price is not known."""


class MetricError(InputError):
    """A metric raised, or returned something that is not a score."""


class ArtifactError(InputError):
    """An artifact is damaged, of a newer format, or lacks something that it needs."""


# What a failed call counts as: nothing (refused, or it never arrived), one call, or all that it
# could have cost.
Charge = Literal["nothing", "call", "everything"]


class LMError(LangprogError):
    """A language model did not give a usable completion.

    Args:
        message: What happened; must hold no key and no header.
        model: Name of the model that was asked.
        charge: What the call counts as in a budget: ``nothing`` where the endpoint refused it or
            never saw it, ``call``, or ``everything`` where it may have been answered and billed.
    """

    usual_charge: ClassVar[Charge] = "nothing"

    def __init__(self, message: str, *, model: str = "", charge: Charge | None = None) -> None:
        super().__init__(message)
        self.model = model
        self.charge: Charge = charge or self.usual_charge


class TransportError(LMError):
    """The request failed on the way: worth trying again, and never a wrong answer.

    Args:
        message: What happened.
        model: Name of the model that was asked.
        retry_after: Seconds that the server asked to wait, where it said so.
        charge: As for LMError.
    """

    usual_charge: ClassVar[Charge] = "call"

    def __init__(
        self,
        message: str,
        *,
        model: str = "",
        retry_after: float | None = None,
        charge: Charge | None = None,
    ) -> None:
        super().__init__(message, model=model, charge=charge)
        self.retry_after = retry_after


class RateLimitError(TransportError):
    """The endpoint asked to slow down (429)."""

    usual_charge: ClassVar[Charge] = "nothing"


class ServerError(TransportError):
    """The endpoint failed (5xx), or its reply is not a completion."""


class ConnectError(TransportError):
    """The connection was refused, reset or never made."""


class TimeoutError(TransportError):
    """No complete answer came in time; it may be made, and billed, all the same."""

    usual_charge: ClassVar[Charge] = "everything"


class AuthError(LMError):
    """The endpoint did not accept the key (401, 403)."""


class BadRequestError(LMError):
    """The endpoint refuses the request itself (400, 404, 422).

    Args:
        message: What happened.
        model: Name of the model that was asked.
        charge: As for LMError.
        said: All that the endpoint said, in lower case.
        params: The parts of the request that it named as wrong.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str = "",
        charge: Charge | None = None,
        said: str = "",
        params: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, model=model, charge=charge)
        self.said = said or message.casefold()
        self.params = params


class ContextWindowError(LMError):
    """The prompt is longer than the model reads."""


class ContentFilterError(LMError):
    """The provider refused the content."""


class TruncatedError(LMError):
    """The reply was cut off at the limit of tokens, so it is no answer.

    Args:
        message: What happened.
        model: Name of the model that was asked.
        text: What came before the cut.
    """

    usual_charge: ClassVar[Charge] = "everything"

    def __init__(self, message: str, *, model: str = "", text: str = "") -> None:
        super().__init__(message, model=model)
        self.text = text


class ParseError(LangprogError):
    """A completion cannot be read as the signature's outputs.

    Args:
        message: What is wrong, in words that a model can act on.
        text: The completion that could not be read.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class BudgetExceeded(LangprogError):
    """The next call would pass the hard cap of a budget."""


class FrozenError(LangprogError, AttributeError):
    """A frozen program was written to."""
