"""From weights and outputs to measures, and from these to results."""
