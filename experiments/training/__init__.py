"""From missing runs to stored ones."""
