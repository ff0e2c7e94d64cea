"""The pages: controls, probe, figure."""
