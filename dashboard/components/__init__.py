"""Components of our own, as package files."""
