"""The parts of one page; `operations.py` puts them together."""
