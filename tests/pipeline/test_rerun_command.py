"""The command that does it again is one that the program takes, and means the same."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from tests.cli.test_commands import SILENT, Desk
from tts_book.cli import app as cli
from tts_book.cli.options import CommandOptions
from tts_book.events import quote_command
from tts_book.pipeline.options import format_rerun_command

CWD = Path.cwd()


BOOK = CWD / "book.txt"


@pytest.mark.parametrize(
    ("wish", "options"),
    [
        (CommandOptions(), ""),
        (CommandOptions(voice="dmitry", rate="-10%"), " --voice dmitry --rate -10%"),
        (CommandOptions(output=CWD / "to hear"), " -o 'to hear'"),
        (CommandOptions(start="L3", stop="2:00"), " --from L3 --to 2:00"),
        (CommandOptions(no_cache=True, everything=True), " --everything --no-cache"),
        (CommandOptions(series="Ships #2", year="1901"), " --series 'Ships #2' --year 1901"),
        (CommandOptions(only="3", redo="3/1", proxy="http://me:secret@there"), ""),
        (CommandOptions(json=True, quiet=True, force=True, workers=3), ""),
    ],
)
def test_only_what_was_wished_is_said(wish: CommandOptions, options: str) -> None:
    assert format_rerun_command(wish, BOOK, CWD) == f"tts-book convert book.txt{options}"


def test_it_is_a_command_of_the_program_with_the_same_wishes() -> None:
    wish = CommandOptions(
        output=Path("out"), voice="dmitry", voices=Path("mine.toml"), backend="edge", rate="-10%",
        pitch="-8Hz", volume="+5%", language="ru", encoding="koi8-r", title="T", author="A",
        split="none", chapters="^X", notes="end", everything=True, pronounce=Path("p.toml"),
        start="1", stop="2/3", format="m4b", loudness="-23", captions="srt",
        layout="audiobookshelf", cover=Path("c.png"), series="S", year="1901", cache=Path("kept"),
        no_cache=True,
    )  # fmt: skip
    words = shlex.split(format_rerun_command(wish, BOOK, CWD))
    convert = typer.main.get_command(cli.app).commands["convert"]  # type: ignore[attr-defined]  # a group
    given = convert.make_context("convert", words[2:]).params
    assert given.pop("sources") == ["book.txt"]
    assert CommandOptions(**given) == wish


def test_a_folder_is_a_batch(tmp_path: Path) -> None:
    assert (
        format_rerun_command(CommandOptions(), tmp_path, tmp_path.parent)
        == f"tts-book batch {tmp_path.name}"
    )


def test_where_tells_it(tmp_path: Path) -> None:
    from tts_book.cli.commands.where import describe_place
    from tts_book.output.inspection.lookup import find_words_at
    from tts_book.synthesis.chunk_cache import ChunkCache

    at = Desk(tmp_path)
    source = at.write("story.txt", "One lamp is lit. Another lamp is lit.")
    assert at.convert(source, request=replace(SILENT, rate="+10%")) == 0
    cache = ChunkCache(tmp_path / "cache")
    found = find_words_at(tmp_path / "story.mp3", 1_000, cache)
    again = "tts-book convert story.txt --backend silent --rate +10% --redo 1/1"
    assert list(describe_place(found, cache, tmp_path))[3] == f"speak it again: {again}"
    assert list(describe_place(found, cache, CWD))[3] == f"speak it again: cd {tmp_path} && {again}"


@pytest.mark.parametrize(
    ("words", "posix", "windows"),
    [
        (["a", "to hear"], "a 'to hear'", 'a "to hear"'),
        (["a", "it's"], "a 'it'\"'\"'s'", "a it's"),
        (["a", "C:\\my books\\b.txt"], "a 'C:\\my books\\b.txt'", 'a "C:\\my books\\b.txt"'),
    ],
)
def test_a_command_is_quoted_for_the_shell_of_its_system(
    words: list[str], posix: str, windows: str
) -> None:
    assert quote_command(words, windows=False) == posix
    assert quote_command(words, windows=True) == windows
