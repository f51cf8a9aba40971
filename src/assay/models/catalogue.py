"""The adapters by the names a setting gives them. Everything heavy is imported when its name is chosen."""

from assay.models.embedder import Embedder
from assay.models.settings import ModelSettings
from assay.models.weights import Progress


def embedder(settings: ModelSettings, *, progress: Progress | None = None) -> Embedder:
    """The embedder `settings` names, ready to use; embedded weights are fetched when they are missing."""
    from assay.models.minilm import MiniLMEmbedder

    return MiniLMEmbedder.load(threads=settings.threads, progress=progress)
