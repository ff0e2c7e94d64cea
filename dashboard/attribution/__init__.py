"""The parts of the page Attribution."""
