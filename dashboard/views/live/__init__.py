"""The parts of one page; `live.py` puts them together."""
