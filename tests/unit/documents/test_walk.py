"""Finding files: order, what is skipped, links, and what cannot be walked."""

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from assay.documents.walk import Failure, Found, find


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def found(*paths: Path) -> list[str]:
    return [item.path.name if isinstance(item, Found) else item.code for item in find(paths)]


def test_files_come_in_the_same_order_and_only_documents(tmp_path: Path):
    tree(tmp_path, "b.md", "a/z.txt", "a/b.txt", "c.md", ".hidden/x.md", ".git/config", "node_modules/x.js")
    tree(
        tmp_path,
        "__pycache__/x.pyc",
        "venv/pyvenv.cfg",
        "venv/lib/x.py",
        "cache/CACHEDIR.TAG",
        "cache/x",
        "~$b.docx",
        ".DS_Store",
    )
    assert found(tmp_path) == ["b.txt", "z.txt", "b.md", "c.md"]
    assert all(isinstance(item, Found) and item.root == tmp_path for item in find([tmp_path]))


def test_a_hidden_folder_is_walked_when_asked_for(tmp_path: Path):
    tree(tmp_path, ".notes/x.md")
    assert found(tmp_path / ".notes") == ["x.md"]


def test_each_file_comes_once_however_often_it_is_named(tmp_path: Path):
    tree(tmp_path, "a.md", "b/c.md")
    assert sorted(found(tmp_path / "a.md", tmp_path, tmp_path / "b", tmp_path / "a.md")) == ["a.md", "c.md"]


def test_links_are_followed_and_loops_are_said_once(tmp_path: Path):
    tree(tmp_path, "docs/a.md", "other/b.md")
    (tmp_path / "docs" / "loop").symlink_to(tmp_path / "docs", target_is_directory=True)
    (tmp_path / "docs" / "more").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "docs" / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "docs" / "self").symlink_to(tmp_path / "docs" / "self")
    assert found(tmp_path / "docs") == ["a.md", "symlink_loop", "b.md", "not_found", "symlink_loop"]


def test_pipes_and_sockets_are_said_and_not_opened(tmp_path: Path):
    tree(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        assert found(tmp_path) == ["a.md", "not_a_file", "not_a_file"]


def test_a_missing_path_is_said_with_the_nearest_name(tmp_path: Path):
    tree(tmp_path, "documents/a.md", "b.md")
    items = list(find([tmp_path / "documnets", tmp_path / "b.md"]))
    assert isinstance(items[0], Failure)
    assert items[0].code == "not_found"
    assert items[0].hint == f"Did you mean {tmp_path / 'documents'}?"
    assert [item.path.name for item in items] == ["documnets", "b.md"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_said_and_the_rest_is_walked(tmp_path: Path):
    tree(tmp_path, "closed/a.md", "open/b.md")
    (tmp_path / "closed").chmod(0)
    try:
        assert found(tmp_path) == ["permission", "b.md"]
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_many_files_are_a_stream_and_not_a_list(tmp_path: Path):
    for folder in range(20):
        (tmp_path / f"{folder:02}").mkdir()
        for number in range(100):
            (tmp_path / f"{folder:02}" / f"{number:03}.txt").touch()
    walk = find([tmp_path])
    next(walk)
    tracemalloc.start()
    count = sum(1 for _ in walk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1999
    assert peak < 100_000  # bytes; the names of one folder, where the paths of all would be over 400 kB
