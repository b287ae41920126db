"""From results, figures, article and verdicts to the page."""
