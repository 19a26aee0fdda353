"""A folder of e-books is a shelf of books."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import SILENT, TWO, Desk
from tests.readers.test_books import BODY, FILES, fb2, packed
from tts_book.cli.commands import batch as batch_desk
from tts_book.errors import UserError
from tts_book.pipeline.options import LAYOUTS


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_folder_of_e_books_is_one_book_each_by_author_and_title(at: Desk) -> None:
    at.write("shelf/b.epub", packed(FILES))
    at.write("shelf/a.fb2", fb2(BODY))
    at.write("shelf/torn.epub", packed(FILES)[:-200])
    out = at.folder / "out"
    request = replace(SILENT, output=out)
    assert at.run(batch_desk.batch(at.here(), request, at.folder / "shelf")) == 1
    folders = {path.parent.relative_to(out).as_posix() for path in at.written()}
    assert folders >= {"A. Nonymous/The River"}
    assert {folder.partition("/")[0] for folder in folders} == {"A. Nonymous", "Иван Безымянный"}
    assert "torn.epub is a damaged or cut-off archive" in at.err.getvalue()


def test_texts_and_e_books_in_one_folder_are_told(at: Desk) -> None:
    at.write("shelf/a.fb2", fb2(BODY))
    at.write("shelf/b.txt", TWO)
    with pytest.raises(UserError, match=r"1 texts \(b.txt, …\) and 1 e-books \(a.fb2, …\)"):
        at.run(batch_desk.batch(at.here(), SILENT, at.folder / "shelf"))


def test_a_folder_of_texts_is_an_album(at: Desk) -> None:
    at.write("album/2.txt", TWO)
    at.write("album/10.txt", TWO)
    assert at.run(batch_desk.batch(at.here(), SILENT, at.folder / "album")) == 0
    assert {path.parent.name for path in at.written()} == {"album (audio)"}


def test_the_shelf_is_a_layout() -> None:
    assert batch_desk.SHELF in LAYOUTS
