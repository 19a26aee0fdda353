"""What killed runs left behind goes, what lives stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tts_book.synthesis.atomic import OLD_S, lives_on_windows, remove_leftovers

GONE, ALIVE = 41, 42
PARTS = [
    (f".tts-book-{GONE}-0.part", 0, False),
    (f".tts-book-{GONE}.part", 0, False),
    (f".tts-book-{ALIVE}-3.part", 2 * OLD_S, True),
    (".tts-book-k3x_9ab1.part", 0, True),
    (".tts-book-k3x_9ab1.part", 2 * OLD_S, False),
    ("001 - Part.mp3", 2 * OLD_S, True),
    ("my.part", 2 * OLD_S, True),
]


@pytest.mark.parametrize("a_folder", [False, True])
@pytest.mark.parametrize(("name", "age_s", "stays"), PARTS)
def test_what_is_swept(
    name: str, age_s: float, stays: bool, a_folder: bool, tmp_path: Path
) -> None:
    part = tmp_path / name
    if a_folder:
        part.mkdir()
        (part / "inside.m4b").touch()
    else:
        part.touch()
    os.utime(part, (1_000, 1_000))
    remove_leftovers([tmp_path], lives=ALIVE.__eq__, clock=lambda: 1_000 + age_s)
    assert part.exists() == stays


def test_our_own_part_stays_and_a_number_too_large_for_a_process_goes(tmp_path: Path) -> None:
    ours, nobodys = (tmp_path / f".tts-book-{n}-0.part" for n in (os.getpid(), 10**30))
    ours.touch()
    nobodys.touch()
    remove_leftovers([tmp_path])
    assert (ours.exists(), nobodys.exists()) == (True, False)


class Kernel:
    """What Windows answers about processes: running ones, one that ended, one of somebody else."""

    RUNNING, ENDED, FOREIGN = 7, 8, 9

    def __init__(self) -> None:
        self.open = 0
        self.asked = 0

    def OpenProcess(self, access: int, inherit: bool, process: int) -> int:
        self.asked = process
        known = process in (self.RUNNING, self.ENDED)
        self.open += known
        return 1 if known else 0

    def GetLastError(self) -> int:
        return 5 if self.asked == self.FOREIGN else 87

    def GetExitCodeProcess(self, handle: int, code: Any) -> int:
        code._obj.value = 259 if self.asked == self.RUNNING else 0
        return 1

    def CloseHandle(self, handle: int) -> None:
        self.open -= 1


@pytest.mark.parametrize(
    ("process", "lives"),
    [(Kernel.RUNNING, True), (Kernel.ENDED, False), (Kernel.FOREIGN, True), (1, False),
     (10**30, False)],
)  # fmt: skip
def test_on_windows_the_parts_of_running_processes_stay(
    process: int, lives: bool, tmp_path: Path
) -> None:
    kernel = Kernel()
    part = tmp_path / f".tts-book-{process}-0.part"
    part.touch()
    remove_leftovers([tmp_path], lives=lambda number: lives_on_windows(number, kernel))
    assert part.exists() == lives
    assert kernel.open == 0
