"""Plans a book and speaks it with the silent backend, whole and in part, each in a process of
its own: CPU time and peak memory, and what a tenth of the book takes beside it.

    python benchmarks/book.py path/to/a/long/book.txt
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What a whole process took."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def cost(*arguments: str, cwd: Path) -> Cost:
    """Runs tts-book with these arguments in `cwd` and waits for it."""
    began_s = time.perf_counter()
    program = [sys.executable, "-m", "tts_book", *arguments]
    pid = os.fork()
    if pid == 0:
        os.chdir(cwd)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.execv(program[0], program)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"tts-book {' '.join(arguments)} ended with status {status}")
    peak = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began_s, peak)


def row(name: str, found: Cost, characters: int) -> str:
    """One line of the table."""
    return (
        f"{name:<28} {found.cpu_s:>8.2f} CPU s {found.wall_s:>8.2f} s {found.peak_mib:>7.0f} MiB "
        f"{characters / found.cpu_s / 1e6:>8.2f} M characters per CPU s"
    )


def measure(book: Path) -> None:
    """Prints the table for a book and for its first tenth."""
    text = book.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        tenth = here / "tenth.txt"
        tenth.write_text(text[: len(text) // 10], "utf-8")
        for name, source, size in (
            ("a tenth", tenth, len(text) // 10),
            ("the whole", book.resolve(), len(text)),
        ):
            common = ("--backend", "silent", "--cache", f"cache-{source.stem}")
            print(row(f"plan, {name}", cost("plan", str(source), *common, cwd=here), size))
            speak = ("convert", str(source), *common, "-o", f"out-{source.stem}", "-q")
            print(row(f"silent run, {name}", cost(*speak, cwd=here), size))
            print(row(f"again, {name}", cost(*speak, cwd=here), size))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    measure(Path(sys.argv[1]))
