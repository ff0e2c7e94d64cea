"""The parts of one page; `rules.py` puts them together."""
