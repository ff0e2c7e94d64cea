"""Experiments of the dissertation as programs, and tables of shipped runs."""
