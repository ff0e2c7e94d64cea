"""Processes that train and answer beside the one that asks."""
