"""Every error that langprog raises on purpose.

The tree::

    LangprogError
    ├── InputError              the user passed something wrong (also a ValueError)
    │   ├── SignatureError      a signature, a field or the wiring of a pipeline
    │   ├── ExampleError        a row of a data file, or an example that lacks a field
    │   ├── ModelError          a model name, a missing key or a missing price
    │   ├── MetricError         a metric that raises or returns something that is not a score
    │   ├── ArtifactError       a damaged, too new or incomplete artifact
    │   └── SandboxError        code cannot be run here, as there is no sandbox
    ├── LMError                 a language model gave no usable completion
    │   ├── TransportError      worth retrying; never the program's fault
    │   │   ├── RateLimitError  429; carries ``retry_after``
    │   │   ├── ServerError     5xx, or a reply that is not a completion (cut off, wrong type)
    │   │   ├── ConnectError    refused, reset, unreachable
    │   │   └── TimeoutError    no answer in time
    │   ├── AuthError           401, 403
    │   ├── BadRequestError     400, 404, 422: the endpoint rejects the request itself
    │   ├── ContextWindowError  the prompt exceeds the model's context
    │   ├── ContentFilterError  the provider refused the content
    │   └── TruncatedError      the reply was cut off at the token limit
    ├── CheckError              an answer that still fails a check after it was asked for again
    ├── ParseError              a completion that cannot be read as the signature's outputs
    ├── ToolError               a tool that a model called has failed
    ├── CodeError               code in a sandbox has failed
    ├── BudgetExceeded          the next call would exceed a budget's hard cap
    └── FrozenError             an attempt to change a frozen program
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "ArtifactError",
    "AuthError",
    "BadRequestError",
    "BudgetExceeded",
    "CheckError",
    "CodeError",
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
    "SandboxError",
    "ServerError",
    "SignatureError",
    "TimeoutError",
    "ToolError",
    "TransportError",
    "TruncatedError",
]


class LangprogError(Exception):
    """Base class of every error that langprog raises on purpose."""


class LangprogWarning(UserWarning):
    """Something was not done as requested, such as a setting that had to be dropped."""


class InputError(LangprogError, ValueError):
    """An argument or input is wrong; the message says what, where and what to do."""


class SignatureError(InputError):
    """A signature, one of its fields or the wiring of a pipeline is wrong."""


class ExampleError(InputError):
    """A row of a data file is wrong, or an example lacks a field."""


class ModelError(InputError):
    """A model name is unknown, or a key or price is missing."""


class MetricError(InputError):
    """A metric raised, or returned something that is not a score."""


class ArtifactError(InputError):
    """An artifact is damaged, too new, or lacks something it needs."""


class SandboxError(InputError):
    """Code cannot be run here: there is no bubblewrap, or it may not make a sandbox."""


# What a failed call counts as in a budget: nothing (rejected, or it never arrived), one call, or
# everything it could have cost.
Charge = Literal["nothing", "call", "everything"]


class LMError(LangprogError):
    """A language model gave no usable completion.

    Args:
        message: What happened; must not contain keys or headers.
        model: The model's name.
        charge: What the call counts as in a budget: ``nothing`` if the endpoint rejected it or
            never saw it, ``call``, or ``everything`` if it may have been answered and billed.
    """

    usual_charge: ClassVar[Charge] = "nothing"

    def __init__(self, message: str, *, model: str = "", charge: Charge | None = None) -> None:
        super().__init__(message)
        self.model = model
        self.charge: Charge = charge or self.usual_charge


class TransportError(LMError):
    """The request failed in transit: worth retrying, and never a wrong answer.

    Args:
        message: What happened.
        model: The model's name.
        retry_after: Seconds that the server asked the client to wait, if it did.
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
    """No complete answer in time; the endpoint may still produce and bill one."""

    usual_charge: ClassVar[Charge] = "everything"


class AuthError(LMError):
    """The endpoint did not accept the key (401, 403)."""


class BadRequestError(LMError):
    """The endpoint rejects the request itself (400, 404, 422).

    Args:
        message: What happened.
        model: The model's name.
        charge: As for LMError.
        said: The endpoint's full error text, in lower case.
        params: The request parameters that it blames.
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
    """The prompt exceeds the model's context window."""


class ContentFilterError(LMError):
    """The provider refused the content."""


class TruncatedError(LMError):
    """The reply was cut off at the token limit, so it is not an answer.

    Args:
        message: What happened.
        model: The model's name.
        text: The reply up to the cut.
    """

    usual_charge: ClassVar[Charge] = "everything"

    def __init__(self, message: str, *, model: str = "", text: str = "") -> None:
        super().__init__(message, model=model)
        self.text = text


class ParseError(LangprogError):
    """A completion cannot be read as the signature's outputs.

    Args:
        message: What is wrong, phrased so that a model can act on it.
        text: The completion that could not be read.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class ToolError(LangprogError):
    """A tool that a model called has failed.

    Args:
        message: What happened, phrased so that a model can act on it.
        outage: Whether a service, the network or the machine failed: then the failure says nothing
            about the program.
    """

    def __init__(self, message: str, *, outage: bool = False) -> None:
        super().__init__(message)
        self.outage = outage


class CodeError(LangprogError):
    """Code in a sandbox raised, was stopped, or returned what cannot be read.

    Args:
        message: What happened, phrased so that a model can act on it.
        loaded: Whether it was code that this code had loaded into another sandbox.
    """

    def __init__(self, message: str, *, loaded: bool = False) -> None:
        super().__init__(message)
        self.loaded = loaded


class CheckError(LangprogError):
    """An answer still fails a check after it was asked for again.

    Args:
        message: What is wrong with it.
        text: The completion with that answer.
    """

    def __init__(self, message: str, *, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class BudgetExceeded(LangprogError):
    """The next call would exceed the hard cap of a budget."""


class FrozenError(LangprogError, AttributeError):
    """An attempt to change a frozen program."""
