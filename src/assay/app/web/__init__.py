"""The page: chat, documents, settings in force."""
