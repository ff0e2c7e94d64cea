"""The parts of one page; `behaviour.py` puts them together."""
