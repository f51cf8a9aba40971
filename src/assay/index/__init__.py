"""Lexical, dense and fused retrieval over passages kept in the database."""
