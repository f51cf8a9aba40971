"""Test sets in the field's own formats, read as cases and, where they hold them, documents."""
