"""How it is told: the article, the verdicts and the page. Never imports TensorFlow."""
