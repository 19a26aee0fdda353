"""Data flows once: in a run no file is read or parsed twice without need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = "\n\n".join(
    f"Chapter {n}\n\nThe lamp of day {n} was lit. Nobody saw it." for n in range(1, 4)
)
# Runs the command line and writes down every file that is opened for reading.
SCRIPT = """
import json, os, sys
read = []
def note(event, arguments):
    if event == "open" and arguments[1] in ("r", "rb"):
        if isinstance(arguments[0], (str, os.PathLike)):
            read.append(os.path.abspath(os.fspath(arguments[0])))
sys.addaudithook(note)
from tts_book.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code
with open(os.environ["READ"], "w") as file:
    json.dump([code, read], file)
"""


def convert(folder: Path, *options: str) -> Counter[str]:
    """How often each file in the folder was opened for reading, and each voices.toml anywhere."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "READ": str(folder / "read.json"),
    }
    command = ["convert", "book.txt", "--backend", "silent", "--cache", "cache", *options]
    subprocess.run([sys.executable, "-c", SCRIPT, *command], cwd=folder, env=environ, check=True)
    code, read = json.loads((folder / "read.json").read_text("utf-8"))
    assert not code
    names = (Path(path) for path in read)
    return Counter(path.name for path in names if folder in path.parents or path.suffix == ".toml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path.resolve()
    (folder / "book.txt").write_text(TEXT, "utf-8")
    (folder / "voices.toml").write_text('[voices.mine]\nbackend = "silent"\nid = "mine"\n', "utf-8")
    return folder


@pytest.mark.parametrize(
    "options", [("--captions", "srt"), ("--format", "m4b"), ("--format", "mp3,mp3book")]
)
def test_nothing_is_read_twice(folder: Path, options: tuple[str, ...]) -> None:
    spoken, joined = convert(folder, *options), convert(folder, *options, "--force")
    entries = [path.name for path in (folder / "cache").glob("??/*.mp3")]
    assert len(entries) == 6
    for read in (spoken, joined):
        assert read["book.txt"] == 1
        assert read["voices.toml"] == 2  # the user's and the packaged one
    heads = 3  # of the first entry of a chapter the header, too
    assert sum(spoken[name] for name in entries) == len(entries) + heads
    assert sum(joined[name] for name in entries) == 2 * len(entries) + heads


def test_what_has_not_changed_is_not_read(folder: Path) -> None:
    convert(folder)
    read = convert(folder)
    assert read["book.txt"] == 1
    assert not [name for name in read if name.endswith(".mp3")]
