"""What machines and people do to a run: full disks, folders that may not be written, two runs at
once, damaged and deleted files. Nothing wrong stands under a final name, and the next run heals.

What disturbs a run happens to a real process; the runs before and after it are made here.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.test_commands import Desk
from tests.cli.test_process import (
    CONVERT,
    _narrow,
    command,
    environment,
    long_text,
    posix,
    run,
    start,
)
from tts_book.cli.options import CommandOptions
from tts_book.errors import UserError
from tts_book.output.inspection.lookup import find_time_of, find_words_at
from tts_book.output.inspection.verify import verify
from tts_book.synthesis.chunk_cache import ChunkCache

TEXT = long_text(chapters=2, sentences=12)  # two chapters of two chunks and 442 kB each
# The same for all: the way from the files to their source is part of their tags.
OUT = "disk/out"
ASKED = CommandOptions(backend="silent", json=True)
Files = dict[str, bytes]
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only there are pipes made narrow, and root without its rights"
)


def book(folder: Path, text: str = TEXT) -> Desk:
    (folder / "book.txt").write_text(text, "utf-8")
    return Desk(folder)


def convert(at: Desk, request: CommandOptions = ASKED) -> int:
    """Converts the book, and says how many chunks had to be spoken."""
    asked = replace(request, output=at.folder / OUT)
    assert at.convert(at.folder / "book.txt", request=asked) == 0, at.err.getvalue()
    return spoken(at.out.getvalue())


def spoken(events: str) -> int:
    told = [json.loads(line) for line in events.splitlines()]
    return int(told[-1]["chunks_spoken"])


def files(folder: Path) -> Files:
    """Everything there under a final name, but the records, which have times in them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("tts-book.jsonl")
    }


def entries(at: Desk) -> list[Path]:
    return sorted(at.folder.glob("cache/??/*.mp3"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Files]:
    """What a run leaves when nothing comes in its way."""

    @cache
    def found(request: CommandOptions = ASKED, text: str = TEXT) -> Files:
        at = book(tmp_path_factory.mktemp("undisturbed"), text)
        convert(at, request)
        return files(at.folder / OUT)

    return found


def one_line(ended: subprocess.CompletedProcess[str], told: str) -> None:
    """It ended with a line for the user; a bug would show its traceback."""
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    assert told in ended.stderr.splitlines()[-1], ended.stderr


# A full disk --------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize(
    ("most_bytes", "options", "request_", "told"),
    [
        (50_000, (), ASKED, "The cache folder cache cannot be written: File too large."),
        (
            500_000,
            ("--format", "mp3book", "--captions", "srt"),
            replace(ASKED, format="mp3book", captions="srt"),
            f"Cannot write book.mp3 in {OUT}: the file grows larger",
        ),
    ],
)
def test_a_file_that_may_not_grow_is_reported_and_leaves_nothing(
    most_bytes: int,
    options: tuple[str, ...],
    request_: CommandOptions,
    told: str,
    undisturbed: Callable[..., Files],
    tmp_path: Path,
) -> None:
    """The system's own limit for files stands for a disk that is full, wherever the tests run."""
    import resource

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    at = book(tmp_path)
    one_line(run(tmp_path, *CONVERT, "-o", OUT, *options, before=limited), told)
    assert files(tmp_path / OUT) == {}
    assert not list(tmp_path.rglob(".*"))
    kept = len(entries(at))
    assert convert(at, request_) == 4 - kept
    assert files(tmp_path / OUT) == undisturbed(request_)


# Runs the same command with a small disk for one folder, then with room; keeps what was written.
ON_A_SMALL_DISK = """
mkdir -p disk/out cache && small="$2" && mount -t tmpfs -o size="$1"k none "$small" || exit 99
shift 2
"$@" >first.out 2>first.err; echo $? >first.code
find disk/out cache -name '.*' >first.left
cp -R disk/out first
mount -o remount,size=100m none "$small"
"$@" >again.out 2>again.err; echo $? >again.code
cp -R disk/out again
"""


def own_disks() -> bool:
    """Whether this system lets its users mount disks of their own."""
    with contextlib.suppress(FileNotFoundError):
        tried = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    return False


@pytest.mark.skipif(
    not own_disks(), reason="no disk can be mounted here: the tests by file size remain"
)
@pytest.mark.parametrize(
    ("size_kb", "small", "options", "request_", "told"),
    [
        (
            868,
            OUT,
            ("--captions", "srt", "--layout", "audiobookshelf"),
            replace(ASKED, captions="srt", layout="audiobookshelf"),
            f"in {OUT}/book: the disk is full: make room, then run the same command again.",
        ),
        (150, "cache", (), ASKED, "The cache folder cache cannot be written: No space"),
        (
            890,
            OUT,
            ("--format", "m4b"),
            replace(ASKED, format="m4b"),
            f" in {OUT}: the disk is full: make room, then",  # the M4B, or the record, if it grew
        ),
    ],
    ids=["captions", "cache", "m4b"],
)
def test_a_full_disk_is_reported_and_recovered_from(
    size_kb: int,
    small: str,
    options: tuple[str, ...],
    request_: CommandOptions,
    told: str,
    undisturbed: Callable[..., Files],
    tmp_path: Path,
) -> None:
    book(tmp_path)
    asked = command(*CONVERT, "-o", OUT, *options)
    script = ["unshare", "-rm", "sh", "-c", ON_A_SMALL_DISK, "sh", str(size_kb), small, *asked]
    subprocess.run(script, cwd=tmp_path, env=environment(tmp_path), check=True, timeout=60)
    first, again = (_ended(tmp_path, name) for name in ("first", "again"))
    one_line(first, told)
    assert (tmp_path / "first.left").read_text() == ""
    whole = undisturbed(request_)
    assert files(tmp_path / "first").items() < whole.items()
    assert again.returncode == 0, again.stderr
    assert files(tmp_path / "again") == whole
    assert spoken(again.stdout) == 0 or small == "cache"


def _ended(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """How one of the runs on the small disk ended."""
    out, err, code = (
        (folder / f"{name}.{end}").read_text("utf-8") for end in ("out", "err", "code")
    )
    return subprocess.CompletedProcess([], int(code), out, err)


# Folders that may not be written ------------------------------------------------------------------


def bound_by_rights() -> None:
    """Root may write anywhere; without two of its powers it is bound like everybody else."""
    if os.geteuid() == 0:
        drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP and the capabilities' numbers
        libc = ctypes.CDLL(None)
        for capability in (override, search):
            libc.prctl(drop, capability, 0, 0, 0)


@contextlib.contextmanager
def closed(*folders: Path) -> Iterator[None]:
    for folder in folders:
        folder.chmod(0o500)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o700)


@linux
@pytest.mark.parametrize(
    ("what", "left", "code", "told"),
    [
        (OUT, 4, 2, f"{OUT}/book cannot be written (Permission denied): name another"),
        ("cache", 3, 2, "The cache folder cache cannot be written: Permission denied. Name"),
        # The folder of the source, too.
        ("cache", 4, 0, "2 chapters written, 0 missing; 0 chunks spoken, 4 from the cache"),
    ],
    ids=["output", "half a cache", "whole cache and source"],
)
def test_a_folder_that_may_not_be_written_is_reported_or_read(
    what: str, left: int, code: int, told: str, undisturbed: Callable[..., Files], tmp_path: Path
) -> None:
    at = book(tmp_path)
    convert(at)
    shutil.rmtree(tmp_path / OUT / "book")
    for entry in entries(at)[left:]:
        entry.unlink()
    folder = tmp_path / what
    with closed(tmp_path, folder, *(path for path in folder.iterdir() if path.is_dir())):
        ended = run(tmp_path, *CONVERT, "-o", OUT, before=bound_by_rights)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
    assert told in ended.stderr.splitlines()[-1], ended.stderr
    assert files(tmp_path / OUT) == ({} if code else undisturbed())
    assert convert(at) == 4 - left
    assert files(tmp_path / OUT) == undisturbed()


# Two runs at once ---------------------------------------------------------------------------------

LONG = long_text(chapters=4, sentences=60)


@contextlib.contextmanager
def under_way(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A run that has told some chunks and waits for its reader."""
    with start(folder, *CONVERT, "-o", OUT, *options) as process:
        assert process.stdout is not None
        _narrow(process.stdout)
        for line in process.stdout:
            if json.loads(line)["event"] == "ChunkDone":
                break
        yield process


@linux
def test_a_book_is_converted_by_one_run_at_a_time(
    undisturbed: Callable[..., Files], tmp_path: Path
) -> None:
    at = book(tmp_path, LONG)
    with under_way(tmp_path) as first:
        told = f'"book" is being converted by another run (process {first.pid}): wait until'
        one_line(run(tmp_path, *CONVERT, "-o", OUT, "--redo", "1"), told)
        ended = run(tmp_path, "cache", "--clear", "--cache", "cache")
        assert "0 chunks removed" in ended.stderr
        assert "stay: a running job needs them" in ended.stderr
        assert "running now" in ended.stdout
        first.communicate(timeout=60)
        assert first.returncode == 0
    assert files(tmp_path / OUT) == undisturbed(text=LONG)
    assert convert(at) == 0


@linux
def test_a_run_that_was_killed_is_in_nobodys_way(
    undisturbed: Callable[..., Files], tmp_path: Path
) -> None:
    at = book(tmp_path, LONG)
    with under_way(tmp_path) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=60)
    convert(at)
    assert files(tmp_path / OUT) == undisturbed(text=LONG)
    assert not list((tmp_path / OUT).rglob(".*"))


def test_two_runs_share_a_cache(undisturbed: Callable[..., Files], tmp_path: Path) -> None:
    book(tmp_path)
    places = (OUT, "disk/other")
    both = [start(tmp_path, *CONVERT, "-o", place) for place in places]
    for process, place in zip(both, places, strict=True):
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert files(tmp_path / place) == undisturbed()


# Files damaged or deleted -------------------------------------------------------------------------


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "note.txt").write_text("mine")


def _another(path: Path) -> None:
    other = next(p for p in path.parents[1].glob("??/*.mp3") if p != path)
    shutil.copyfile(other, path)


def _unreadable(path: Path) -> None:
    path.chmod(0)


DAMAGES = (_cut, _flipped, _empty, _a_folder, _another, _unreadable)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_entry_is_spoken_again(
    damage: Callable[[Path], None], undisturbed: Callable[..., Files], tmp_path: Path
) -> None:
    at = book(tmp_path)
    convert(at)
    shutil.rmtree(tmp_path / OUT)
    for entry in entries(at):
        if entry.stat().st_size > 10_000:
            damage(entry)
            break
    may_read = damage is _unreadable and os.access(entry, os.R_OK)  # root, and Windows
    assert convert(at) == (0 if may_read else 1)
    assert files(tmp_path / OUT) == undisturbed()


def _all_damaged(at: Desk) -> None:
    for entry, damage in zip(entries(at), DAMAGES * 100, strict=False):
        damage(entry)


def _no_cache(at: Desk) -> None:
    shutil.rmtree(at.folder / "cache", ignore_errors=True)  # it is being filled meanwhile


def _no_output(at: Desk) -> None:
    shutil.rmtree(at.folder / OUT, ignore_errors=True)


@linux
@pytest.mark.parametrize("act", [_all_damaged, _no_cache, _no_output])
def test_what_is_taken_away_from_a_run_is_never_missed_in_its_files(
    act: Callable[[Desk], None], undisturbed: Callable[..., Files], tmp_path: Path
) -> None:
    at, whole = book(tmp_path, LONG), undisturbed(text=LONG)
    with under_way(tmp_path) as process:
        act(at)
        _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 1, 2)
    assert "Traceback" not in said
    left = files(tmp_path / OUT) if (tmp_path / OUT).exists() else {}
    assert left.items() <= whole.items()
    assert process.returncode or left == whole, said
    convert(at)
    assert files(tmp_path / OUT) == whole


RECORDS = [
    b"",
    b'{"run": {"title": "boo',
    bytes(range(256)) * 40,
    b'{"run": 1}\n{"chapter": {}}\n{"made": {"file": []}}\n{"volume": {"file": 7}}\n{"whole": 1}\n',
    b'{"chapter": {"file": "001 - Chapter 1.mp3"}}\n{"made": {"file": "001 - Chapter 1.mp3"}}\n',
    b"[" * 200_000 + b"\n",
]


@pytest.mark.parametrize("damaged", RECORDS, ids=range(len(RECORDS)))
def test_a_damaged_record_is_replaced(
    damaged: bytes, undisturbed: Callable[..., Files], tmp_path: Path
) -> None:
    at = book(tmp_path)
    convert(at)
    record = tmp_path / OUT / "book" / "tts-book.jsonl"
    whole = record.read_bytes()
    record.write_bytes(damaged)
    assert convert(at) == 0
    assert files(tmp_path / OUT) == undisturbed()
    assert _kinds(record.read_bytes()) == _kinds(whole)


def _kinds(record: bytes) -> set[tuple[str, Any]]:
    """What a record tells, in no order: chapters are told as they are done."""
    lines = (json.loads(line) for line in record.splitlines())
    return {(kind, value.get("file")) for line in lines for kind, value in line.items()}


def test_a_damaged_record_breaks_nobody_who_reads_it(tmp_path: Path) -> None:
    at = book(tmp_path)
    convert(at)
    first = tmp_path / OUT / "book" / "001 - Chapter 1.mp3"
    record = first.with_name("tts-book.jsonl")
    whole = record.read_bytes()

    @settings(max_examples=20, deadline=None)  # a file is decoded each time
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255), st.booleans())
    def check(where: int, bits: int, cut: bool) -> None:
        after = b"" if cut else whole[where + 1 :]
        record.write_bytes(whole[:where] + bytes([whole[where] ^ bits]) + after)
        kept = ChunkCache(tmp_path / "cache")
        with contextlib.suppress(UserError):
            find_words_at(first, 30_000, kept)
        with contextlib.suppress(UserError):
            find_time_of(tmp_path / "book.txt", [first.parent], kept, text="It was 1 and 3")
        verify(first)

    check()


def test_a_folder_in_the_records_place_is_reported_before_a_word_is_spoken(tmp_path: Path) -> None:
    book(tmp_path)
    (tmp_path / OUT / "book" / "tts-book.jsonl").mkdir(parents=True)
    with pytest.raises(UserError, match=r"Cannot write tts-book\.jsonl in .*: a folder is"):
        convert(Desk(tmp_path))
    assert not list(tmp_path.glob("cache/??/*.mp3"))
