"""The program as a process: killed, interrupted, piped, and quick at the door."""

from __future__ import annotations

import json
import os
import platform
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from tts_book import __version__

WORDS = "the lamp was lit before the ship came in and nobody on the pier saw it"
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither of these signals")


def long_text(chapters: int = 6, sentences: int = 120) -> str:
    """Chapters without two sentences alike."""
    return "\n\n".join(
        f"Chapter {c}\n\n" + " ".join(f"It was {c} and {n}, {WORDS}." for n in range(sentences))
        for c in range(1, chapters + 1)
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tts_book", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own is read or written. So many processes start that Python must keep
    what it has compiled."""
    home = str(folder / "home")
    own = {"XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home, "HOME": home, "TMPDIR": str(folder)}
    kept = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **own}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=hear_interrupts if os.name == "posix" else None,
    )


def hear_interrupts() -> None:
    """Ctrl-C is heard also where the tests run in the background and it is not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_line(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of the shell to its end."""
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(
    folder: Path, *arguments: str, stdin: str = "", before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; `before` is called in its process."""
    # A process that may not write, or not much, would leave half a module in Python's cache, and
    # every later one would fail with it.
    kept = {"PYTHONDONTWRITEBYTECODE": "1"} if before else {}
    return subprocess.run(
        command(*arguments),
        preexec_fn=before,
        cwd=folder,
        env=environment(folder) | kept,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


CONVERT = ("convert", "book.txt", "--backend", "silent", "--cache", "cache", "--json")


def interrupted(folder: Path, sign: int, after: int) -> tuple[int, set[tuple[int, int]], str]:
    """Stops a run once `after` chunks are told; its code, those chunks, and its last words."""
    (folder / "book.txt").write_text(long_text(), "utf-8")
    done: set[tuple[int, int]] = set()
    with start(folder, *CONVERT) as process:
        assert process.stdout is not None
        _narrow(process.stdout)
        for line in process.stdout:
            _note(line, done)
            if len(done) >= after:
                process.send_signal(sign)
                break
        rest, said = process.communicate(timeout=60)
        for line in rest.splitlines():
            _note(line, done)
    return process.returncode, done, said


def _narrow(pipe: IO[str]) -> None:
    """Makes a writer wait for its reader, or a quick run would be over before it is stopped."""
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 4_096)


def _note(line: str, done: set[tuple[int, int]]) -> None:
    try:
        event: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return  # the line that the signal cut
    if event["event"] == "ChunkDone" and not event["cached"]:
        done.add((event["chapter"], event["chunk"]))


def spoken_again(folder: Path) -> set[tuple[int, int]]:
    again = run(folder, *CONVERT)
    assert again.returncode == 0, again.stderr
    done: set[tuple[int, int]] = set()
    for line in again.stdout.splitlines():
        _note(line, done)
    return done


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("book/*.mp3")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves that nobody stops."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "book.txt").write_text(long_text(), "utf-8")
    assert run(folder, *CONVERT).returncode == 0
    return written(folder)


@posix
@pytest.mark.parametrize(
    ("sign", "ended"),
    [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["kill -9", "Ctrl-C", "kill"],
)
def test_after_a_stop_only_the_missing_is_spoken(
    sign: int, ended: int, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    code, done, said = interrupted(tmp_path, sign, after=20)
    assert code == ended
    if ended > 0:
        assert "go on with: tts-book convert book.txt" in said
    assert not any(path.name.startswith(".") for path in tmp_path.glob("book/*.mp3"))
    again = spoken_again(tmp_path)
    assert again
    assert not done & again
    assert written(tmp_path) == undisturbed
    assert len(undisturbed) == 6


# The program, with a Ctrl-C at the moment when it looks for the module named first.
STRUCK = """
import os, signal, sys
from importlib.abc import MetaPathFinder

wanted = sys.argv.pop(1)

class Struck(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == wanted:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Struck())
from tts_book.__main__ import main
main()
"""
AT_THE_DOOR = "Stopped.\n"
ON_THE_WAY = "Stopped. What is spoken is kept; go on with: {command}\n"


@posix
@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("tts_book.cli.app", AT_THE_DOOR),
        ("typer", AT_THE_DOOR),
        ("asyncio", AT_THE_DOOR),
        ("tts_book.readers", ON_THE_WAY),
        ("tts_book.pipeline.run", ON_THE_WAY),
        ("mutagen", ON_THE_WAY),
        ("tts_book.backends.silent", ON_THE_WAY),
    ],
)
def test_ctrl_c_while_modules_are_imported(module: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(long_text(3, 10), "utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", STRUCK, module, *CONVERT[:-1], "-q"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        preexec_fn=hear_interrupts,
    )
    command = shlex.join(["tts-book", *CONVERT[:-1], "-q"])
    assert (ended.returncode, ended.stderr) == (130, said.format(command=command))


@posix
def test_a_killed_run_without_a_cache_leaves_no_folder_for_good(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(long_text(), "utf-8")
    with start(tmp_path, *CONVERT[:4], "--no-cache", "--json") as process:
        assert process.stdout is not None
        _narrow(process.stdout)
        for line in process.stdout:
            if "ChunkDone" in line:
                break
        assert list(tmp_path.glob("tts-book-run-*/??/*.mp3"))
        process.kill()
    assert run(tmp_path, "plan", "book.txt", "--backend", "silent").returncode == 0
    assert not list(tmp_path.glob("tts-book-run-*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("convert", "missing.txt"), "missing.txt"),
        (("batch", "nowhere"), "nowhere"),
        (("voices", "--preview", "nobody"), "nobody"),
        (("voices", "--voices", "none.toml"), "none.toml"),
        (("convert", "a.txt", "--log-level", "loud"), "error, warning, info, debug"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


def test_an_unknown_option_is_exit_2(tmp_path: Path) -> None:
    ended = run(tmp_path, "convert", "a.txt", "--voize", "x")
    assert ended.returncode == 2
    assert "--voice" in ended.stderr


@posix
@pytest.mark.parametrize(
    ("closed", "code", "told"),
    [
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        pytest.param(
            ">/dev/full",
            1,
            "No space left",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full"),
        ),
    ],
)
def test_streams_that_are_closed_or_full(closed: str, code: int, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"Chapter 1\n\nFirst, {WORDS}.", "utf-8")
    line = shlex.join(command("convert", "a.txt", "--backend", "silent", "-q")) + " " + closed
    ended = run_line(tmp_path, line)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
    assert told in ended.stderr
    assert (tmp_path / "a.mp3").stat().st_size > 10_000


@posix
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("plan", "--chunks"), 0), (("convert", "--json", "--no-cache"), 1)],
    ids=["plan", "convert"],
)
def test_a_reader_that_leaves_stops_only_the_work_that_it_was_for(
    arguments: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    (tmp_path / "book.txt").write_text(long_text(), "utf-8")
    with start(tmp_path, *arguments, "book.txt", "--backend", "silent") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        _narrow(process.stdout)
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == code


@posix
def test_a_folder_that_was_deleted_is_reported(tmp_path: Path) -> None:
    line = "mkdir gone && cd gone && rmdir ../gone && " + shlex.join(command("doctor"))
    ended = run_line(tmp_path, line)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


def test_patterns_that_the_shell_left_are_expanded(tmp_path: Path) -> None:
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(f"Chapter 1\n\nThis is {name}, and {WORDS}.", "utf-8")
    ended = run(tmp_path, "convert", "*.txt", "--backend", "silent", "-q", "--no-cache")
    assert [Path(line).name for line in ended.stdout.splitlines()] == ["one.mp3", "two.mp3"]


def test_standard_input_is_read_as_utf_8_in_any_locale(tmp_path: Path) -> None:
    text = "Фонарь зажгли раньше, чем пришёл корабль, и никто на берегу этого не видел."
    ended = run(tmp_path, "convert", "-", "--backend", "silent", "-o", "x.mp3", stdin=text)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "x.mp3").stat().st_size > 10_000


def test_version(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == f"tts-book {__version__}\n"


def test_python_example(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    script = [sys.executable, "-X", "utf8", str(root / "examples/convert_book.py")]
    arguments = [str(root / "examples/mayak.ru.txt"), str(tmp_path), "silent"]
    shown = subprocess.run(
        [*script, *arguments],
        env=environment(tmp_path),
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert "100%" in shown.stdout
    assert list(tmp_path.glob("*.mp3"))


def test_local_voices_report_to_nobody(tmp_path: Path) -> None:
    run(tmp_path, "voices", "--backend", "piper")
    assert not [path for path in tmp_path.rglob("*") if "microsoft" in path.name.lower()]


COUNT_HEAPS = """
import ctypes, sys, threading
from tts_book.cli.process import share_heap

share_heap()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
taken = threading.Barrier(4)

def take():
    library.malloc(1 << 10)
    taken.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
library.malloc_info(0, file)
library.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
@pytest.mark.parametrize(("asked", "heaps"), [("", 1), ("8", 5)], ids=["one", "as asked"])
def test_threads_share_a_heap(tmp_path: Path, asked: str, heaps: int) -> None:
    """Each thread's own would keep what was freed in it."""
    report = tmp_path / "heaps.xml"
    environ = environment(tmp_path)
    environ.pop("MALLOC_ARENA_MAX", None)
    environ |= {"MALLOC_ARENA_MAX": asked} if asked else {}
    subprocess.run([sys.executable, "-c", COUNT_HEAPS, str(report)], env=environ, check=True)
    assert report.read_text().count("<heap nr=") == heaps
