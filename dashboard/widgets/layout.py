"""How pages lay things out side by side, and below each other where the screen is narrow."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

NARROW = """@media (max-width: 1100px) {
  .st-key-KEY > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] {
    min-width: 100%;
  }
}"""


def row() -> DeltaGenerator:
    """Controls side by side, which wrap on a narrow screen."""
    return st.container(horizontal=True, vertical_alignment="bottom")


def stacks(key: str) -> None:
    """Has the columns within the container of this key stand below each other where the screen is narrow."""
    st.html(f"<style>{NARROW.replace('KEY', key)}</style>")


def pair(key: str) -> list[DeltaGenerator]:
    """Two figures side by side; on a narrow screen one below the other."""
    stacks(key)
    return st.container(key=key).columns(2, gap="large")
