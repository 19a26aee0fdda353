"""Files made to do harm: the right text or one clear line, and it comes to an end.

Nothing is timed: a reader whose work grew with the square of these files, or with what their
entities promise, would not come to an end at all.
"""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers.test_books import EN, FILES, package, packed, page
from tests.readers.test_office import docx, pdf, printed
from tts_book import readers
from tts_book.errors import UserError
from tts_book.readers import ReadOptions
from tts_book.readers.book import NotesAt


def laughs(levels: int = 9) -> str:
    """Entities of which the last stands for 10 to the power of `levels` letters."""
    rows = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels))
    return f'<!DOCTYPE x [<!ENTITY a0 "ha">{rows}]>'


def fb2(head: str, encoding: str = "utf-8") -> bytes:
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>{head}<FictionBook><body>'
        f'<section id="&a8;"><p>{EN}</p></section></body></FictionBook>'
    ).encode(encoding)


def epub(body: str = "", head: str = "", metadata: str = "") -> bytes:
    files = {**FILES, "OPS/C1.xhtml": head + page(f"<p>{EN}</p>{body}").partition("?>")[2]}
    files["OPS/book.opf"] = package("c1.xhtml", metadata=metadata)
    return packed(files)


def matryoshka() -> bytes:
    inner = packed({"x.txt": EN})
    for _ in range(5):
        inner = packed({"x.txt": inner}, zipfile.ZIP_STORED)
    return inner


COLLECTIONS = "".join(
    f'<meta property="belongs-to-collection" id="c{n}">S</meta>'
    f'<meta refines="#c{n}" property="collection-type">set</meta>'
    for n in range(10_000)
)
SPEAKS = {
    "entities in an attribute.fb2": fb2(laughs()),
    "entities in UTF-16.fb2": fb2(laughs(), "utf-16"),
    "entities in an attribute.epub": epub('<p id="&a8;">&a8;</p>', laughs()),
    "a file from outside.epub": epub(
        "<p>&x;</p>", '<!DOCTYPE x [<!ENTITY x SYSTEM "/etc/passwd">]>'
    ),
    "links in links.epub": epub('<a href="#x">' * 10_000 + "1" + "</a>" * 10_000),
    "many collections.epub": epub(metadata=COLLECTIONS),
    "one word.txt": b"a" * 1_000_000 + b" " + EN.encode(),
    "one word.html": b"<html lang=en><p>" + b"a" * 1_000_000 + b" " + EN.encode(),
    "half a letter.fb2": fb2("").replace(b"&a8;", b"s").replace(b"<p>", b"<p>&#xD800;&#56000; "),
    "brackets.md": ("[" * 50_000 + EN).encode(),
    "links.md": (EN + "[a](b " * 10_000).encode(),
    "notes.md": (EN + "[^1] " * 5_000 + "\n\n" + "[^1]: x\n\n" * 2_000).encode(),
}
REFUSED = {
    "late entities.fb2": (fb2(f"<!--{'x' * 3_000}-->{laughs()}"), "no words|mended|not"),
    "deep.html": (b"<html lang=en><body>" + b"<div>" * 50_000 + EN.encode(), "nested too deeply"),
    "archive.zip": (matryoshka(), "archive in an archive"),
}


@pytest.mark.parametrize("name", SPEAKS)
@pytest.mark.parametrize("notes", ["skip", "inline"])
def test_hostile_files_give_their_text(name: str, notes: NotesAt) -> None:
    book = readers.read_bytes(SPEAKS[name], name, ReadOptions(language="en", notes=notes))
    text = "\n\n".join(chapter.text for chapter in book.chapters)
    assert EN.strip() in text
    assert "root:" not in text
    assert len(text) < 1_100_000
    assert book.ledger.adds_up


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_files_are_one_clear_line(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as error:
        readers.read_bytes(data, name, ReadOptions(language="en"))
    assert "\n" not in str(error.value)


def test_a_file_whose_name_is_lost_hides_no_other() -> None:
    data = packed({**FILES, "lost.txt": "nothing"}).replace(b"lost.txt", b"\0ost.txt")
    assert readers.read_bytes(data, "a.epub", ReadOptions(language="en")).chapters


WHOLE = {"a.docx": docx(), "a.pdf": pdf(printed(1), printed(2)), "a.epub": packed(FILES)}


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 5_000), junk=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_a_damaged_file_is_read_or_told(name: str, at: int, junk: bytes, cut: bool) -> None:
    whole = WHOLE[name]
    at %= len(whole)
    damaged = whole[:at] + junk + (b"" if cut else whole[at + len(junk) :])
    try:
        book = readers.read_bytes(damaged, name, ReadOptions(language="en"))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert book.ledger.adds_up
