"""The parts of one page; `attribution.py` puts them together."""
