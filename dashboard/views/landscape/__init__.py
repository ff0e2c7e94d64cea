"""The parts of one page; `landscape.py` puts them together."""
