"""The article's claims and their verdicts."""
