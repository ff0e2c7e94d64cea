"""The parts of the page Update rules; `dashboard/views/rules.py` puts them together."""
