"""The parts of one page; `features.py` puts them together."""
