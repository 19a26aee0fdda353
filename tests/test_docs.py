"""What the documents say is true: commands, options, the example of voices.toml, the table."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
import types
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import typer.main

from tests.cli.test_process import environment
from tts_book import __version__, events, readers
from tts_book.cli.app import app
from tts_book.config import voices
from tts_book.model import Pauses

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README, RUSSIAN, GUIDE, RUSSIAN_GUIDE, VOICES, PYTHON, DEPENDENCIES = (
    (ROOT / name).read_text("utf-8")
    for name in (
        "README.md",
        "README.ru.md",
        "docs/guide.md",
        "docs/ru/guide.md",
        "docs/voices.md",
        "docs/python.md",
        "docs/dependencies.md",
    )
)
DOCUMENTS = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
BLOCKS = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
MOST_README_LINES = 150


def blocks(text: str, language: str) -> list[str]:
    return [body for kind, body in BLOCKS.findall(text) if kind == language]


def section(text: str, heading: str) -> str:
    """The text from a heading to the next one of the same kind."""
    return text.partition(f"\n{heading}\n")[2].partition(f"\n{heading.split()[0]} ")[0]


def commands(text: str) -> list[str]:
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("tts-book ")]


COMMAND = typer.main.get_command(app)


@pytest.mark.parametrize(
    "line", sorted({line for path in DOCUMENTS for line in commands(path.read_text("utf-8"))})
)
def test_every_command_in_the_documents_is_understood(line: str) -> None:
    name, *arguments = shlex.split(line.partition(" < ")[0])[1:]
    wanted = COMMAND.commands[name]  # type: ignore[attr-defined]  # a group  # it is a group
    wanted.make_context(name, list(arguments), resilient_parsing=False).close()


def test_both_languages_show_the_same_commands() -> None:
    assert blocks(README, "sh") == blocks(RUSSIAN, "sh")
    assert {*commands(GUIDE), *commands(VOICES)} == {*commands(RUSSIAN_GUIDE)}
    assert blocks(VOICES, "toml")[0] == blocks(RUSSIAN_GUIDE, "toml")[0]


@pytest.mark.parametrize("text", [README, RUSSIAN], ids=["en", "ru"])
def test_the_readme_is_short(text: str) -> None:
    assert len(text.splitlines()) <= MOST_README_LINES


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("text", [GUIDE, RUSSIAN_GUIDE], ids=["en", "ru"])
def test_the_tables_name_every_option_of_convert_and_no_other(text: str) -> None:
    rows = [line for line in text.splitlines() if line.startswith("| `-")]
    told = {option for row in rows for option in re.findall(r"`(--?[\w-]+)", row.split("|")[1])}
    known = {
        option
        for parameter in COMMAND.commands["convert"].params  # type: ignore[attr-defined]  # a group
        for option in parameter.opts
        if option.startswith("-")
    }
    assert told == known


def test_the_example_of_voices_toml_is_valid(tmp_path: Path) -> None:
    example = blocks(VOICES, "toml")[0]
    (tmp_path / "voices.toml").write_text(example, "utf-8")
    config = voices.load_voices(None, cwd=tmp_path, config_dir=tmp_path)
    assert config.default == "reader"
    assert config.pauses == Pauses()


def test_every_dependency_is_in_the_table_with_its_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    names = {re.split(r"[<>=;\[ ]", name)[0] for name in project["dependencies"] + extras}
    assert not {name for name in names - {"tts-book"} if name not in DEPENDENCIES}


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_exit_codes_are_told_in_both_languages() -> None:
    for text in (GUIDE, RUSSIAN_GUIDE):
        assert [code for code in ("0", "1", "2", "130") if f"\n| {code} |" not in text] == []


@pytest.mark.parametrize("name", ["lighthouse.en.txt", "mayak.ru.txt"])
def test_the_examples_are_books(name: str) -> None:
    book = readers.read(ROOT / "examples" / name, readers.ReadOptions())
    assert book.language == name.split(".")[1]
    assert len(book.chapters) == 1


def test_the_folder_of_examples_is_an_album() -> None:
    read = readers.read_folder(ROOT / "examples/three-chapters", readers.ReadOptions())
    assert [path.name for path in read.sources] == ["1.txt", "2.txt", "10.txt"]
    assert not read.unread


LIBRARY = blocks(PYTHON.partition("\n## A backend")[0], "python")


def test_the_library_does_what_the_documents_show(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("Chapter 1\n\nThe lamp was lit before dawn.", "utf-8")
    (script,) = LIBRARY
    shown = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(tmp_path),
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    ).stdout.splitlines()
    assert shown[0].startswith("Chapter 1: 2 chunks, ")
    assert shown[1].endswith(" of 2 chunks are to be spoken")
    assert shown[2].startswith(str(Path("audiobooks") / "book.mp3"))


def test_every_event_is_documented_with_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", PYTHON, re.MULTILINE)
    told = [(name, re.findall(r"`(\w+)`", names)) for name, names in rows]
    known = get_args(events.Event)
    assert told == [(event.__name__, [field.name for field in fields(event)]) for event in known]


# The documented backend, and its test, which imports it.
_beep, _test = (types.ModuleType(name) for name in ("beep", "test_beep"))
_blocks = blocks(section(PYTHON, "## A backend of your own"), "python")
for _block, _module in zip(_blocks, (_beep, _test), strict=True):
    sys.modules[_module.__name__] = _module
    exec(compile(_block, "docs/python.md", "exec"), _module.__dict__)
TestTheDocumentedBackend = _test.TestBeep


def test_every_module_that_the_architecture_names_is_there() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)*(?:[a-z_]+\.py|[a-z_]+/))`", text))
    assert len(named) > 40
    places = (
        ROOT / name if name.startswith("tests/") else ROOT / "tts_book" / name for name in named
    )
    assert not [path for path in places if not path.exists()]
