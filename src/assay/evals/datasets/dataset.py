"""A test set as imported: its cases, and the documents they are about."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assay.documents.document import Document
from assay.evals.case import Case


@dataclass(frozen=True, slots=True)
class Dataset:
    """`documents` gives the set's documents anew at each call, to be ingested under the collection `name`.

    Every document's source begins with `name/`, so that two sets of one workspace never meet.
    """

    name: str
    cases: Sequence[Case]
    documents: Callable[[], Iterator[Document]]
