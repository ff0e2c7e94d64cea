"""The parts of one page; `runs.py` puts them together."""
