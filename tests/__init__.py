"""Tests: a folder for each room, and beside them what concerns the whole program."""

import os

# There are as many processes as cores, so NumPy's own threads would only wait for each other. Before it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
