"""ChatModel, Embedder and Reranker, and their adapters."""
