"""Books whose files lack a part: nothing is written, unless the user says so."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from tests.readers.test_books import DAMAGED, WHOLE
from tts_book.cli.commands import convert
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.errors import SourceDamaged

GONE = DAMAGED["c2.xhtml (Chapter 2) is missing from the archive"]


def run(folder: Path, data: bytes, options: CommandOptions) -> tuple[int, str, str]:
    """Converts a book: the exit code, and what was written to either stream."""
    (folder / "river.epub").write_bytes(data)
    at = Terminal(
        cwd=folder,
        config_dir=folder / "config",
        cache_dir=folder / "cache",
        voices_dir=folder / "voices",
        environ={},
        stdin=io.BytesIO(),
        stdin_is_terminal=False,
        out=io.StringIO(),
        err=io.StringIO(),
        command="tts-book convert …",
    )
    code = asyncio.run(convert.convert(at, options, ["river.epub"]))
    assert isinstance(at.out, io.StringIO)
    assert isinstance(at.err, io.StringIO)
    return code, at.out.getvalue(), at.err.getvalue()


def test_a_damaged_book_is_not_converted(tmp_path: Path) -> None:
    with pytest.raises(SourceDamaged, match=r"river.epub: .*c2.xhtml.*--allow-missing"):
        run(tmp_path, GONE, CommandOptions(backend="silent"))
    assert not list(tmp_path.rglob("*.mp3"))


def test_a_damaged_book_is_converted_without_what_is_missing(tmp_path: Path) -> None:
    options = CommandOptions(backend="silent", allow_missing=True)
    code, written, said = run(tmp_path, GONE, options)
    assert code == 0
    assert len(written.splitlines()) == 2
    assert "Not in these files, as --allow-missing allows: river.epub: OPS/c2.xhtml" in said
    with pytest.raises(SourceDamaged):  # also when nothing has changed since
        run(tmp_path, GONE, CommandOptions(backend="silent"))


def test_a_whole_book_says_nothing_of_missing_parts(tmp_path: Path) -> None:
    code, written, said = run(tmp_path, WHOLE, CommandOptions(backend="silent"))
    assert (code, len(written.splitlines())) == (0, 3)
    assert "missing from" not in said
