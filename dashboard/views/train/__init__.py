"""The parts of one page; `train.py` puts them together."""
