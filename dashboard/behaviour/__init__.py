"""The parts of the page Learning behaviour; `dashboard/views/behaviour.py` puts them together."""
