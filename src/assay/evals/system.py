"""A system: what is measured. Assay's own, an HTTP endpoint, or anyone's callable; the engine sees only this."""

from typing import Literal, Protocol, runtime_checkable

from assay.evals.output import Output


@runtime_checkable
class System(Protocol):
    """Question in, output out.

    `subject` is a digest of everything that can change an output (settings, prompts, weights, corpus, code version of
    what answers): equal subjects share cached outputs. None means nobody can know, so nothing is shared across runs
    except by resuming the same run. `kind` "retriever" gives passages and no text; answer metrics do not apply.
    `expected_cost_usd` is a priced system's expected (low, high) cost of one question, None where unpriced.
    """

    name: str
    subject: str | None
    kind: Literal["answerer", "retriever"]

    async def __call__(self, question: str) -> Output:
        """One output. Raises `AssayError`s for failures; a refusal is an Output with `declined`.

        Resamples of one question are told apart by `assay.gateway.replica.replica` (a context variable), which the
        engine sets and caches read.
        """
        ...

    async def aclose(self) -> None:
        """Free what the system holds. Safe to call twice."""
        ...
