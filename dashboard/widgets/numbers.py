"""How pages write numbers in sentences: as the claims of `probes` do."""

from probes.numbers import interval, number, percent

__all__ = ["interval", "number", "percent"]
