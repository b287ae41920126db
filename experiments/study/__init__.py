"""What is measured: the model of a study, its file, and the keys of its runs."""
