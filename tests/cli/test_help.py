"""--help, completion, and words that are no command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tts_book.cli import help as help_text
from tts_book.cli.app import app
from tts_book.cli.options import HIDDEN_IN_PLAN, find_completer
from tts_book.errors import UserError
from tts_book.pipeline.options import Panel

GROUP: Any = typer.main.get_command(app)
COMMANDS = [(), *((name,) for name in GROUP.commands), ("voices", "install")]


def shown(*names: str, columns: int = 80) -> str:
    command, context = GROUP, GROUP.make_context("tts-book", [], resilient_parsing=True)
    for name in names:
        command = command.commands[name]
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    return str(context.get_help())


@pytest.mark.parametrize("names", COMMANDS, ids=lambda names: " ".join(names) or "tts-book")
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_is_as_wide_as_the_terminal_and_says_no_types(
    names: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = shown(*names)
    assert max(map(len, text.splitlines())) == min(columns, help_text.WIDEST)
    assert "…" not in text
    assert not re.search(r"<\w+|\[x>=|TEXT\.\.\.|list\[", text)
    assert "--help" in text


def test_convert_has_a_panel_for_each_matter() -> None:
    text = shown("convert")
    titles = re.findall(r"^╭─ (.+?) ─", text, re.MULTILINE)
    assert titles == [panel.value for panel in Panel]
    assert text.index("SOURCE...", text.index("What to read")) < text.index("--language")


def test_plan_shows_only_its_own_options() -> None:
    text = shown("plan")
    assert "--words" in text
    assert not [name for name in HIDDEN_IN_PLAN if f"--{name}" in text]
    assert "--voice NAME" not in shown("verify")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("chapter.txt", "tts-book convert chapter.txt"),
        ("my book.epub", "tts-book convert 'my book.epub'"),
        ("chapters", "tts-book batch chapters"),
        ("convrt", "Did you mean convert?"),
        ("zzz", "See: tts-book --help"),
    ],
)
def test_a_word_that_is_no_command_leads_to_the_one_that_was_meant(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chapters").mkdir()
    with pytest.raises(UserError, match=re.escape(told)):
        app([name], prog_name="tts-book", standalone_mode=False)


@pytest.mark.parametrize(
    ("option", "incomplete", "words"),
    [
        ("voice", "dmi", ["dmitry"]),
        ("backend", "e", ["edge", "espeak"]),
        ("format", "mp3,m", ["mp3,m4b", "mp3,mp3book"]),
        ("captions", "", ["srt", "vtt", "lrc"]),
        ("split", "he", ["headings"]),
        ("log_level", "de", ["debug"]),
        ("language", "ru", ["ru"]),
    ],
)
def test_values_are_completed(
    option: str, incomplete: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fields = {each.name: each for each in GROUP.commands["convert"].params}
    assert option in fields
    choices = ("auto", "headings", "none") if option == "split" else ()
    complete = find_completer(option, choices)
    assert complete is not None
    assert complete(incomplete) == words


def test_titles_are_for_the_user_to_know() -> None:
    assert find_completer("title", ()) is None
