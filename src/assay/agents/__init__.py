"""Tool loops as journals. Empty until its first feature lands."""
