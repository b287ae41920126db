"""The source document: Markdown to parts, marks and notes."""
