"""Run folders: what they hold, how they are found, opened, packed, grouped and stacked."""
