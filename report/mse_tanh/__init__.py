"""The article on squared error and tanh: its text, claims, prose and figures."""
