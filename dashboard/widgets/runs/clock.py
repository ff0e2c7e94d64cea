"""Times as people read them: in the time zone of their browser, or in UTC, which is then said."""

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def zone() -> tzinfo:
    """The visitor's time zone; UTC where the browser does not say, or names one that is not known here."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def label(what: str) -> str:
    """The heading of a column of times."""
    return f"{what} (UTC)" if zone() is UTC else what


def sentence() -> str:
    """Which clock it is."""
    return "Coordinated universal time." if zone() is UTC else f"In your time zone, {zone()}."


def written(value: Any) -> str:
    """A time of a record, to the minute; one without a time zone is taken for UTC, what is no time is left out."""
    try:
        when = datetime.fromisoformat(str(value))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(zone()).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return ""
