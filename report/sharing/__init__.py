"""A finished page: verified, compared, published."""
