"""What is measured: the study, its data, the training, the measures and the statistics. Knows nothing of HTML."""
