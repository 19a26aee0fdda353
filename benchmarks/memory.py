"""How much memory a long book takes: `python benchmarks/memory.py [--hours 10] [--format m4b]`.

A made-up book is converted with the silent backend, in a folder of its own with an empty cache, and
then verified: the whole program, each command in a process of its own, at a tenth of the length and
at all of it. Silence takes the same memory as speech: indexes and levels grow with the time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ten_hours import book

PROGRAM = (sys.executable, "-m", "tts_book")


def main() -> None:
    """Prints a line for each command and length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--format", default="m4b")
    options = parser.parse_args()
    _say(f"{'command':10} {'hours':>6} {'peak MiB':>9} {'CPU s':>7} {'wall s':>7}")
    for hours in (options.hours / 10, options.hours):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "book.txt").write_text(book(hours), "utf-8")
            convert = ("convert", "book.txt", "--language", "ru", "--backend", "silent", "-q")
            _row("convert", hours, folder, *convert, "--format", options.format, "-o", "out")
            _row("verify", hours, folder, "verify", "out")


def _row(what: str, hours: float, folder: Path, *arguments: str) -> None:
    home = str(folder / "home")
    own = {"XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home, "HOME": home}
    began_s = time.perf_counter()
    running = subprocess.Popen(
        [*PROGRAM, *arguments], cwd=folder, env=os.environ | own, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{what} ended with {running.returncode}")
    peak_mib = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    cpu_s, wall_s = used.ru_utime + used.ru_stime, time.perf_counter() - began_s
    _say(f"{what:10} {hours:6.1f} {peak_mib:9.0f} {cpu_s:7.1f} {wall_s:7.1f}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
