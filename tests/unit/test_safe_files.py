import os
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnstream import safe_files
from churnstream.errors import CheckpointError
from churnstream.pipeline.position_file import PositionFile

CHANGES = """
import sys
from pathlib import Path
from churnstream.pipeline.position_file import PositionFile
places = PositionFile(Path(sys.argv[1]), int)
for _ in range(100):
    places.change(sys.argv[2], lambda rows: (rows or 0) + 1)
    places.change("both", lambda rows: (rows or 0) + 1)
"""


# ---- a file as a whole ----


def test_a_file_takes_the_old_ones_place(tmp_path: Path) -> None:
    """The folder is made where it is missing, and nothing but the file is left in it."""
    path = tmp_path / "new" / "deep" / "file"
    for content in (b"one", b"two"):
        safe_files.replace(path, content)

    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_what_is_no_plain_file_stays_as_it_is(tmp_path: Path) -> None:
    """A device or a pipe is neither replaced nor read: others use it, and it may never end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)

    for path in (pipe, link):
        with pytest.raises(OSError, match="not a plain file"):
            safe_files.try_to_write(path)
        with pytest.raises(OSError, match="not a plain file"):
            safe_files.replace(path, b"new")
        with pytest.raises(CheckpointError, match="not a plain file"):
            PositionFile(path, int).get("key")
    assert pipe.is_fifo()
    assert {*tmp_path.iterdir()} == {pipe, link}


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660])
def test_permissions_stay(tmp_path: Path, mode: int) -> None:
    """Who may read a file may read the one that takes its place, and nobody else."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)

    safe_files.replace(path, b"new")

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_users_permissions(tmp_path: Path) -> None:
    """A file that was not there gets what the umask leaves, as any other."""
    safe_files.replace(tmp_path / "file", b"")
    (tmp_path / "plain").touch()

    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What is replaced is the file that a link leads to."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")

    safe_files.replace(tmp_path / "link", b"new")

    assert (tmp_path / "there" / "file").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_a_long_name_is_no_hindrance(tmp_path: Path) -> None:
    """The draft's name fits where the file's does."""
    path = tmp_path / ("n" * 255)
    safe_files.replace(path, b"new")

    assert path.read_bytes() == b"new"


def test_what_goes_wrong_leaves_the_old_file(tmp_path: Path) -> None:
    """An error in the middle leaves the old content and no draft."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with pytest.raises(ZeroDivisionError), safe_files.replacing(path) as file:
        file.write(bytes(1 // len(file.name[:0])))

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_write_whole_files(tmp_path: Path) -> None:
    """Whoever reads while many write finds one of the contents, all of it."""
    path = tmp_path / "file"
    contents = [bytes([65 + number]) * 100_000 for number in range(8)]
    safe_files.replace(path, contents[0])

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(safe_files.replace, path, content) for content in contents * 4]
        while not all(one.done() for one in done):
            assert path.read_bytes() in contents

    assert [one.exception() for one in done] == [None] * len(done)
    assert list(tmp_path.iterdir()) == [path]


# ---- entries of several writers ----


def _instead(new: int, _: int | None) -> int:
    return new


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.integers(0, 9))))
def test_places_are_those_of_one_dictionary(changes: list[tuple[int, str, int]]) -> None:
    """However writers take turns, the file holds what a dictionary would."""
    with tempfile.TemporaryDirectory() as folder:
        writers = [PositionFile(Path(folder) / "places.json", int) for _ in range(3)]
        expected: dict[str, int] = {}
        for writer, key, rows in changes:
            expected[key] = rows
            assert writers[writer].change(key, partial(_instead, rows)) == rows
            assert all(each.get(key) == rows for each in writers)

        assert {key: writers[0].get(key) for key in "abc"} == dict.fromkeys("abc") | expected


def test_no_change_of_a_thread_is_lost(tmp_path: Path) -> None:
    """Threads that count together count right."""
    places = PositionFile(tmp_path / "places.json", int)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            pool.submit(places.change, "rows", lambda rows: (rows or 0) + 1)

    assert places.get("rows") == 200


def test_no_change_of_a_process_is_lost(tmp_path: Path) -> None:
    """Processes that write to one file at once keep each other's entries."""
    path = tmp_path / "places.json"
    processes = [
        subprocess.Popen([sys.executable, "-c", CHANGES, str(path), name], stderr=subprocess.PIPE)
        for name in ("one", "other")
    ]

    assert [process.communicate()[1] for process in processes] == [b"", b""]
    places = PositionFile(path, int)
    assert [places.get(key) for key in ("one", "other", "both")] == [100, 100, 200]


def test_a_process_that_died_leaves_no_lock(tmp_path: Path) -> None:
    """The lock of a process ends with it, whatever ended it."""
    places = PositionFile(tmp_path / "places.json", int)
    holds = (
        "import os, sys; from pathlib import Path; from churnstream import safe_files\n"
        "with safe_files.alone_at(Path(sys.argv[1]), 0): os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", holds, str(places.path)], check=False)

    assert ended.returncode == -9
    assert places.change("rows", lambda _: 1) == 1


def test_two_do_not_send_the_same(tmp_path: Path) -> None:
    """Who comes second is told so at once; who sends something else goes on."""
    places, others = (PositionFile(tmp_path / "places.json", int) for _ in range(2))

    with (
        places.alone("file:topic"),
        others.alone("other file:topic"),
        pytest.raises(CheckpointError, match="another process is sending the same file"),
    ):
        others.alone("file:topic").__enter__()

    with others.alone("file:topic"):
        pass


@pytest.mark.parametrize("place", ["file/places.json", "file/deep/places.json"])
def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, place: str) -> None:
    """It is said before anything is sent."""
    (tmp_path / "file").touch()
    places = PositionFile(tmp_path / place, int)

    for attempt in (lambda: places.alone("x").__enter__(), lambda: places.change("x", lambda _: 1)):
        with pytest.raises(CheckpointError, match=r"places\.json cannot be written \("):
            attempt()


def test_a_read_only_folder_is_one_line() -> None:
    """So is a folder in which nobody can make a file."""
    places = PositionFile(Path("/sys/places.json"), int)

    with pytest.raises(CheckpointError, match=r"/sys/places\.json cannot be written \("):
        places.change("x", lambda _: 1)
