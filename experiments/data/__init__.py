"""Data sets as arrays, and where they come from."""
