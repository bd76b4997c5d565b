"""Dates, times, durations, decimals and UUIDs as text and back: one form each, read strictly.

A date in another notation may be another date, so nothing is guessed: only blanks, separators and
missing zeros are forgiven.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from langprog.signature.shapes import FORMATTED

_DATE = r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?"
_ZONE = r"(?:[ ]?(Z|UTC|[+-]\d{2}:?\d{2}(?::\d{2})?))?"
_FLAGS = re.ASCII | re.IGNORECASE
_ONLY_DATE = re.compile(rf"{_DATE}(?:[T ]00:00(?::00(?:\.0+)?)?)?", _FLAGS)
_DATETIME = re.compile(rf"{_DATE}(?:T|[ ]|,[ ]){_CLOCK}{_ZONE}", _FLAGS)
_TIME = re.compile(rf"{_CLOCK}{_ZONE}", _FLAGS)
_SIGNED = r"([+-]?)"
_ISO_DURATION = re.compile(
    rf"{_SIGNED}P(?:(\d{{1,9}})W)?(?:(\d{{1,9}})D)?"
    r"(?:T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,15})(?:[.,](\d{1,6}))?S)?)?",
    _FLAGS,
)
_PYTHON_DURATION = re.compile(
    rf"{_SIGNED}(?:(\d{{1,9}}) days?,? )?(\d{{1,2}}):(\d{{2}}):(\d{{2}})(?:\.(\d{{1,6}}))?", _FLAGS
)
_DECIMAL = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})++|\d++)?(?:\.\d*+)?(?:[eE][+-]?\d{1,6})?", re.ASCII
)
_UUID = re.compile(
    r"(?:urn:uuid:)?\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?", _FLAGS
)
_LONGEST = 4000  # characters


def read_formatted(kind: type, text: str) -> Any:
    """Return the value of a text, as one of the types in ``FORMATTED``.

    Raises:
        ValueError: The text is not in the form of the type.
    """
    bare = text.strip()
    try:
        value = _READERS[kind](bare) if len(bare) <= _LONGEST else None
    except (ArithmeticError, ValueError):  # the 30th of February
        value = None
    if value is None:
        shown = bare if len(bare) <= 80 else bare[:77] + "..."
        raise ValueError(f"is {shown!r}, but must be a {FORMATTED[kind]}")
    return value


def write_formatted(value: Any) -> str:
    """Return a value of one of the types in ``FORMATTED`` as text."""
    if isinstance(value, datetime.timedelta):
        return _duration_text(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def _date(text: str) -> datetime.date | None:
    match = _ONLY_DATE.fullmatch(text)
    return None if match is None else datetime.date(*map(int, match.groups()))


def _datetime(text: str) -> datetime.datetime | None:
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, *clock, zone = match.groups()
    time = _clock(clock, zone)
    return datetime.datetime.combine(datetime.date(int(year), int(month), int(day)), time)


def _time(text: str) -> datetime.time | None:
    match = _TIME.fullmatch(text)
    return None if match is None else _clock(match.groups()[:4], match[5])


def _clock(parts: Any, zone: str | None) -> datetime.time:
    hour, minute, second, fraction = parts
    return datetime.time(
        int(hour), int(minute), int(second or 0), _micro(fraction), tzinfo=_zone(zone)
    )


def _micro(fraction: str | None) -> int:
    return int((fraction or "").ljust(6, "0"))


def _zone(text: str | None) -> datetime.tzinfo | None:
    if text is None:
        return None
    if text.upper() in ("Z", "UTC"):
        return datetime.UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    offset = datetime.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return datetime.timezone(sign * offset)


def _duration(text: str) -> datetime.timedelta | None:
    match = _ISO_DURATION.fullmatch(text)
    if match is not None:
        sign, weeks, days, hours, minutes, seconds, fraction = match.groups()
        if not any((weeks, days, hours, minutes, seconds)):
            return None
    else:
        match = _PYTHON_DURATION.fullmatch(text)
        if match is None:
            return None
        sign, days, hours, minutes, seconds, fraction = match.groups()
        weeks = None
        if sign and days:  # Python writes minus an hour as -1 day, 23:00:00: only the day is
            return None
    length = datetime.timedelta(
        weeks=int(weeks or 0),
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=_micro(fraction),
    )
    return -length if sign == "-" else length


def _duration_text(value: datetime.timedelta) -> str:
    if value < datetime.timedelta(0):
        return "-" + _duration_text(-value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    whole = f"{seconds}.{value.microseconds:06}".rstrip("0") if value.microseconds else seconds
    clock = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    clock.append(f"{whole}S" if whole else "")
    day = f"{value.days}D" if value.days else ""
    time = "".join(clock)
    return f"P{day}T{time}" if time else f"P{day}" if day else "PT0S"


def _decimal(text: str) -> Decimal | None:
    if not _DECIMAL.fullmatch(text) or not any(
        char.isdigit() for char in text.lower().split("e")[0]
    ):
        return None
    return Decimal(text.replace(",", ""))


def _uuid(text: str) -> uuid.UUID | None:
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


_READERS: Mapping[Any, Callable[[str], Any]] = MappingProxyType(
    {
        datetime.date: _date,
        datetime.datetime: _datetime,
        datetime.time: _time,
        datetime.timedelta: _duration,
        Decimal: _decimal,
        uuid.UUID: _uuid,
    }
)
