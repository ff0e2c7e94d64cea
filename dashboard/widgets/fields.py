"""Fields of a page that are kept in the URL, each under the page's own prefix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st


@dataclass(frozen=True)
class Fields:
    """The fields of one page.

    Attributes:
        prefix: of their keys, which are their parameters in the URL.
    """

    prefix: str

    def pick(
        self, label: str, options: Sequence[Any], key: str, default: Any, titles: Mapping[Any, str] | None = None
    ) -> Any:
        """One of a few; the default one where none is picked."""
        found = st.segmented_control(
            label,
            list(options),
            default=default,
            key=f"{self.prefix}-{key}",
            format_func=lambda one: (titles or {}).get(one, str(one)),
            bind="query-params",
        )
        return found if found in options else default

    def number(self, label: str, key: str, low: int, high: int, placeholder: str, help: str = "") -> int | None:
        """A whole number, or nothing."""
        found = st.number_input(
            label,
            low,
            high,
            value=None,
            key=f"{self.prefix}-{key}",
            placeholder=placeholder,
            bind="query-params",
            width=150,
            help=help or None,
        )
        return None if found is None else int(found)
