"""Notes left out, read at their marks or where they stand; chapters that the user names."""

from __future__ import annotations

import base64

import pytest

from tests.readers.test_books import BODY, FILES, PNG, PROSE, fb2, package, packed, page
from tests.readers.test_office import docx
from tts_book import readers
from tts_book.errors import UserError
from tts_book.model import Book
from tts_book.readers import ReadOptions
from tts_book.readers.book import ChapterPattern, NotesAt

SAID = "In the dialect."
NOTES = page(
    '<section epub:type="endnotes"><h2>Notes</h2><ol><li epub:type="endnote" id="n1"><p>1. In the '
    '<i>dialect</i>. <a epub:type="backlink" href="c1.xhtml">↩</a></p></li></ol></section>'
)
PAGE = (
    '<html lang="en"><body><h1>One</h1><p>Word.<sup><a href="#f1">1</a></sup></p><h1>Two</h1>'
    f'{PROSE}<div class="footnote" id="f1">[1] In the dialect.</div></body></html>'
)
MARKDOWN = f"# One\n\nA word[^1] and more words, of which there are many here.\n\n[^1]: {SAID}\n"


def text_of(data: bytes, name: str, notes: NotesAt, language: str = "en") -> str:
    book = readers.read_bytes(data, name, ReadOptions(notes=notes, language=language))
    assert book.ledger.adds_up
    return "\n\n".join(chapter.text for chapter in book.chapters)


EPUB = packed({**FILES, "OPS/notes.xhtml": NOTES})


def test_a_note_of_an_epub_is_read_where_it_is_wanted() -> None:
    assert SAID not in text_of(EPUB, "a.epub", "skip")
    inline = text_of(EPUB, "a.epub", "inline")
    assert f"So he said: “Go!” Now.\n\nNote: {SAID}\n\nThe old man" in inline
    assert inline.count("dialect") == 1
    assert text_of(EPUB, "a.epub", "end").endswith(f"Notes\n\n1. {SAID}")


def test_a_note_of_an_fb2_is_read_where_it_is_wanted() -> None:
    data = fb2(BODY.replace("<section id='n1'>", "<section id='n1'><title><p>1</p></title>"))
    assert "рукописи" not in text_of(data, "a.fb2", "skip", "ru")
    inline = text_of(data, "a.fb2", "inline", "ru")
    assert "Он сказал: «Иди!»\n\nПримечание: Так в рукописи.\n\n" in inline
    assert inline.count("рукописи") == 1
    assert text_of(data, "a.fb2", "end", "ru").endswith("\n\nТак в рукописи.")


@pytest.mark.parametrize(("data", "name"), [(PAGE.encode(), "a.html"), (docx(), "a.docx")])
def test_a_note_of_a_page_is_read_where_it_is_wanted(data: bytes, name: str) -> None:
    note = SAID if name == "a.html" else "It was made of brass."
    assert note not in text_of(data, name, "skip")
    assert f"Note: {note}\n\n" in text_of(data, name, "inline")
    assert note in text_of(data, name, "end").split("\n\n")[-1]


def test_notes_of_markdown() -> None:
    spoken = "One\n\nA word and more words, of which there are many here."
    assert text_of(MARKDOWN.encode(), "a.md", "skip") == spoken
    assert text_of(MARKDOWN.encode(), "a.md", "end") == f"{spoken}\n\n{SAID}"


LAMP = "A lamp[^a] was *lit*[^b]."
# A text, what of it is read where it stands, and what at its marks.
NOTED = [
    (f"{LAMP}\n\nIt burned.\n\n[^a]: Brass.\n[^b]: By *him*,\nat six.",
     "A lamp was lit.\n\nIt burned.\n\nBrass.\n\nBy him, at six.",
     "A lamp was lit.\n\nNote: Brass.\n\nNote: By him, at six.\n\nIt burned."),
    (f"{LAMP}\n[^a]: Brass.\n\n    Or tin.\n\nIt burned[^a].",
     "A lamp was lit.\n\nBrass.\n\nOr tin.\n\nIt burned.",
     "A lamp was lit.\n\nNote: Brass.\n\nOr tin.\n\nIt burned."),
    (f"# One\n\nIt burned.\n\n# Two[^a]\n\n{LAMP}\n\n[^a]: word\n\n[^c]: nobody's",
     "One\n\nIt burned.\n\nTwo\n\nA lamp was lit.\n\nword\n\nnobody's",
     "One\n\nIt burned.\n\nTwo\n\nNote: word\n\nA lamp was lit."),
    (f"[^a]: Brass.\n\n{LAMP}\n\n```\n[^b]: code\n```\n<!--\n[^b]: none\n-->\n\n- It burned.",
     "Brass.\n\nA lamp was lit.\n\nCode example.\n\nIt burned.",
     "A lamp was lit.\n\nNote: Brass.\n\nCode example.\n\nIt burned."),
]  # fmt: skip


@pytest.mark.parametrize(("source", "end", "inline"), NOTED)
def test_notes_of_markdown_at_their_marks(source: str, end: str, inline: str) -> None:
    assert text_of(source.encode(), "a.md", "end") == end
    assert text_of(source.encode(), "a.md", "inline") == inline
    assert "Brass" not in text_of(source.encode(), "a.md", "skip")


def test_a_note_at_its_mark_knows_its_line() -> None:
    source = f"{LAMP}\n\nIt burned.\n\n[^a]: Brass."
    book = readers.read_bytes(source.encode(), "a.md", ReadOptions(notes="inline", language="en"))
    (chapter,) = book.chapters
    assert [str(chapter.origin.place(chapter.text.index(w))) for w in ("Brass", "burned")] == [
        "a.md:5:7", "a.md:3:4",
    ]  # fmt: skip


def test_markup_in_the_label_of_a_note_is_skipped_once() -> None:
    assert text_of(b"Word.\n\n[^<p>a]: said and done", "a.md", "end").endswith("said and done")


def test_plain_text_has_no_notes_at_their_marks_and_says_so() -> None:
    book = readers.read_bytes(b"A lamp.", "a.txt", ReadOptions(notes="inline", language="en"))
    assert any("--notes end" in notice for notice in book.notices)


def test_a_mark_may_lead_anywhere() -> None:
    source = PAGE.replace("#f1", "#nowhere").replace('id="f1"', "")
    assert SAID not in text_of(source.encode(), "a.html", "inline")


# The book's own word on itself

SERIES = (
    '<meta name="calibre:series" content="Rivers"/>'
    '<meta name="calibre:series_index" content="2.0"/>',
    '<meta property="belongs-to-collection" id="c">Rivers</meta>'
    '<meta refines="#c" property="group-position">2</meta>',
)


def epub(metadata: str = "", guide: str = "") -> Book:
    opf = package("c1.xhtml", "c2.xhtml", "rights.xhtml", metadata=metadata)
    opf = opf.replace("</package>", f"<guide>{guide}</guide></package>")
    rights = page("<p>All rights reserved.</p>")
    return readers.read_bytes(
        packed({**FILES, "OPS/book.opf": opf, "OPS/rights.xhtml": rights}), "a.epub", ReadOptions()
    )


@pytest.mark.parametrize("metadata", SERIES, ids=["calibre", "EPUB 3"])
def test_the_series_is_known(metadata: str) -> None:
    book = epub(metadata)
    assert (book.series, book.series_part) == ("Rivers", "2")


def test_the_series_of_an_fb2_is_known() -> None:
    book = readers.read_bytes(fb2(BODY), "a.fb2", ReadOptions())
    assert (book.series, book.series_part) == ("Реки", "2")


def test_a_cover_may_be_drawn_around_a_picture() -> None:
    drawn = f'<svg><image href="data:image/png;base64,{base64.b64encode(PNG).decode()}"/></svg>'
    item = '<item id="c" href="c.svg" properties="cover-image" media-type="image/svg+xml"/>'
    files = {**FILES, "OPS/book.opf": package("c1.xhtml", extra=item), "OPS/c.svg": drawn}
    cover = readers.read_bytes(packed(files), "a.epub", ReadOptions()).cover
    assert cover is not None
    assert (cover.mime, cover.data) == ("image/png", PNG)


def test_pages_that_the_guide_names_are_left_out() -> None:
    reserved = "All rights reserved."
    assert reserved in epub().chapters[-1].text
    left = epub(guide='<reference type="copyright-page" href="rights.xhtml"/>')
    assert reserved not in left.chapters[-1].text
    assert "copyright" in {skip.reason for skip in left.chapters[-1].skips}


# --chapters

STORIES = (
    "Intro words here.\n\n== The Lamp ==\n\nIt burned.\n\n== The Ship ==\n\nChapter 1\n\nIt came.\n"
)


def chapters(expression: str, source: str = STORIES) -> list[str]:
    options = ReadOptions(language="en", chapters=expression)
    return [c.title for c in readers.read_bytes(source.encode(), "a.txt", options).chapters]


def test_chapters_begin_where_the_user_says() -> None:
    assert chapters("== .* ==") == ["The Lamp", "The Ship"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("=== .*", "matches no line of a.txt"),
        ("(", "is not a regular expression"),
        ("lamp", "no line"),
    ],
)
def test_an_expression_that_is_no_use_is_told(expression: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        chapters(expression)


def test_an_expression_that_would_take_for_ever_is_told() -> None:
    with pytest.raises(UserError, match="takes too long"):
        ChapterPattern("(a|aa)+c", budget_s=0.05)("a" * 190)
