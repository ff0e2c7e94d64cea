"""Probes: questions about trained learners. Each returns arrays in a dataclass and draws nothing."""
