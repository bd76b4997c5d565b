"""The events of a stream as JSON lines, for ``langprog run --stream``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from pydantic_core import to_jsonable_python

from langprog.cli.terminal import write_json
from langprog.modules import Event, Prediction


def write_events(events: Iterable[Event]) -> None:
    """Write each event as a line: its class under ``event``, and its fields."""
    for event in events:
        write_json(to_jsonable_python(_event_data(event), fallback=repr))


def _event_data(event: Event) -> dict[str, Any]:
    if isinstance(event, Prediction):
        return {"event": "Prediction", "outputs": event.to_dict()}
    data = {field.name: _shown(getattr(event, field.name)) for field in fields(event)}
    return {"event": type(event).__name__, **data}


def _shown(value: Any) -> Any:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return value.to_dict() if isinstance(value, Prediction) else value
