"""Readers and passages with exact source spans."""
