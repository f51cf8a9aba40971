"""The HTTP interface: Assay's own routes and the OpenAI wire."""
