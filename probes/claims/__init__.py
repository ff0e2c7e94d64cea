"""The dissertation's claims: one file for each, which makes a verdict of numbers.

The functions take effects and arrays, fetch nothing and draw nothing; pages find the numbers in what is shipped and
show what comes out. Every claim has one stated test (`probes.tools.decisions`), its criterion.
"""
