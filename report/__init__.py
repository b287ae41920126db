"""From results to the page: the article, the verdicts, the page and its copies."""
