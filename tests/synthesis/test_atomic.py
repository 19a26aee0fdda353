"""What killed runs left behind goes, what lives stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tts_book.synthesis.atomic import OLD_S, remove_leftovers

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
