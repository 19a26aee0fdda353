"""Word, PDF, and what Calibre turns into an EPUB: small documents made here."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tts_book import readers
from tts_book.errors import UserError
from tts_book.model import Book
from tts_book.readers import ReadOptions, calibre, pdf_lines
from tts_book.readers.pdf_lines import PdfLine, Role

OPTIONS = ReadOptions(language="en")


def read(data: bytes, name: str, options: ReadOptions = OPTIONS) -> Book:
    return readers.read_bytes(data, name, options)


def reasons(book: Book) -> Counter[str]:
    return Counter(
        skip.reason for chapter in book.chapters for skip in chapter.skips if skip.text.strip()
    )


# Word

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def paragraph(text: str, style: str = "") -> str:
    known = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    runs = "".join(
        '<w:r><w:footnoteReference w:id="2"/></w:r>'
        if piece == "*"
        else f"<w:r><w:t>{piece}</w:t></w:r>"
        for piece in text.split("|")
    )
    return f"<w:p>{known}{runs}</w:p>"


BODY = (
    paragraph("Chapter 1", "Heading1")
    + paragraph("The keeper lit the lamp|*| and sat down.")
    + "<w:tbl><w:tr><w:tc>" + paragraph("Year") + "</w:tc><w:tc>" + paragraph("Ships")
    + "</w:tc></w:tr></w:tbl>"
    + paragraph("Chapter 2", "Heading1")
    + paragraph("In the morning nobody was there.")
)  # fmt: skip
STYLES = (
    f'<w:styles {W}><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/>'
    "</w:style></w:styles>"
)
NOTE = paragraph("It was made of brass.")
NOTES = f'<w:footnotes {W}><w:footnote w:id="2">{NOTE}</w:footnote></w:footnotes>'
CORE = (
    '<cp:coreProperties xmlns:cp="x" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:title>The Lamp</dc:title><dc:creator>A. Nonymous</dc:creator></cp:coreProperties>"
)


def relations(**targets: str) -> str:
    rows = "".join(
        f'<Relationship Id="{kind}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for kind, target in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}">{rows}</Relationships>'


def docx(body: str = BODY, **more: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", relations(officeDocument="word/document.xml"))
        archive.writestr(
            "word/_rels/document.xml.rels", relations(styles="styles.xml", footnotes="notes.xml")
        )
        archive.writestr(
            "word/document.xml", f"<w:document {W}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr("word/styles.xml", STYLES)
        archive.writestr("word/notes.xml", NOTES)
        archive.writestr("docProps/core.xml", CORE)
        for name, text in more.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_a_word_document_becomes_a_book() -> None:
    book = read(docx(), "lamp.docx")
    assert (book.title, book.author) == ("The Lamp", "A. Nonymous")
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1", "Chapter 2"]
    first = book.chapters[0].text
    assert first == "Chapter 1\n\nThe keeper lit the lamp and sat down.\n\nYear, Ships"
    assert reasons(book) == {"note mark": 1, "notes": 1}
    assert book.ledger.adds_up


HOSTILE = (
    "<w:p>",
    '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">]><w:p><w:r><w:t>&a;</w:t></w:r></w:p>',
    "<w:sdt>" * 5_000 + "</w:sdt>" * 5_000,
)


@pytest.mark.parametrize("body", HOSTILE, ids=["unclosed", "entities", "deep"])
def test_a_damaged_word_document_is_one_line(body: str) -> None:
    with pytest.raises(UserError, match=r"damaged Word document|no words"):
        read(docx(body), "lamp.docx")


# PDF


# Of a PDF: a typewriter's letters, proportional ones, ones whose minus is U+2010, unknown ones.
FONTS = {
    "F": "/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding",
    "H": "/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding",
    "U": "/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 4 0 R",
    "N": "/Subtype/Type0/BaseFont/None/Encoding/Identity-H/DescendantFonts[<</Type/Font"
    "/Subtype/CIDFontType2/BaseFont/None/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
    "/Supplement 0>>/FontDescriptor<</Type/FontDescriptor/FontName/None/Flags 4/FontBBox[0 0 9 9]"
    "/ItalicAngle 0/Ascent 9/Descent 0/CapHeight 9/StemV 9>>>>]",
}
CODES = "".join(f"<{n:02x}> <{0x2010 if n == 45 else n:04x}>\n" for n in range(32, 127))
CMAP = (
    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
    f"1 begincodespacerange <00> <ff> endcodespacerange\n95 beginbfchar\n{CODES}endbfchar\n"
    "endcmap end end"
)


def pdf(*pages: Sequence[tuple[int, int, int, str]], font: str = "F") -> bytes:
    """A PDF of lines: size, left, bottom, text; a text may name its own font: `H:text`."""
    contents = []
    for page in pages:
        shown = []
        for size, x, y, text in page:
            name, colon, rest = text.partition(":")
            name, text = (name, rest) if colon and name in FONTS else (font, text)
            shown.append(f"/{name} {size} Tf 1 0 0 1 {x} {y} Tm ({text}) Tj")
        contents.append("BT " + " ".join(shown) + " ET")
    count = len(pages)
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(count))
    fonts = "".join(f"/{name}<</Type/Font{what}>>" for name, what in FONTS.items())
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {count}/Kids[{kids}]>>",
        f"<<{fonts}>>",
        f"<</Length {len(CMAP)}>>\nstream\n{CMAP}\nendstream",
    ]
    for n, content in enumerate(contents):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 600]/Resources<</Font 3 0 R>>"
            f"/Contents {6 + 2 * n} 0 R>>"
        )
        objects.append(f"<</Length {len(content)}>>\nstream\n{content}\nendstream")
    made = b"%PDF-1.4\n"
    starts = []
    for number, text in enumerate(objects, 1):
        starts.append(len(made))
        made += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    table = "".join(f"{start:010} 00000 n \n" for start in starts)
    size = len(objects) + 1
    made += f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode()
    end = f"trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{made.index(b'xref')}\n%%EOF"
    return made + end.encode()


def printed(number: int) -> list[tuple[int, int, int, str]]:
    return [
        (8, 40, 580, f"The Lamp {number}"),
        (16, 40, 540, f"Chapter {number}"),
        (10, 40, 500, "The keeper lit the big lamp and sat down beside the wind-"),
        (10, 40, 486, "ow, as he had done every evening for thirty years, and he"),
        (10, 40, 472, f"waited for the ship of the year 1{number}42"),
        (6, 256, 476, "7"),
        (10, 260, 472, ". Nobody knew when"),
        (10, 40, 458, f"it would come{' back' * number}."),
        (7, 40, 60, f"7 It was made of {chr(96 + number) * 5}."),
    ]


def test_a_pdf_becomes_a_book() -> None:
    book = read(pdf(*(printed(number) for number in range(1, 5))), "lamp.pdf")
    assert [c.title for c in book.chapters] == [f"Chapter {number}" for number in range(1, 5)]
    assert book.chapters[1].text == (
        "Chapter 2\n\nThe keeper lit the big lamp and sat down beside the window, as he had done "
        "every evening for thirty years, and he waited for the ship of the year 1242. Nobody knew "
        "when it would come back back."
    )
    assert set(reasons(book)) == {"running head", "line-end hyphen", "note mark", "notes"}
    assert book.ledger.adds_up
    assert str(book.chapters[1].origin.place(0)) == "lamp.pdf#page 2"
    assert any("as well as it can be" in notice for notice in book.notices)


@pytest.mark.parametrize(
    ("data", "message"),
    [(pdf([]), "through OCR"), (b"%PDF-1.4 x", "damaged"), (pdf(printed(1))[:300], "damaged|OCR")],
)
def test_a_pdf_that_cannot_be_read_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(data, "lamp.pdf")


def column(x: int, top: int, *texts: str) -> list[tuple[int, int, int, str]]:
    return [(10, x, top - 12 * at, text) for at, text in enumerate(texts)]


LEFT = [
    "Left one goes on and on here", "beside the other one, as long", "as that is, and then is read",
    "to its very end before a word", "of the other one is ever said.",
]  # fmt: skip
RIGHT = [
    "Right one comes after that and", "is as long as the left one is", "in books like this, and so",
    "its last line is also the last", "one of this small page of two.",
]  # fmt: skip


@pytest.mark.parametrize("in_rows", [False, True])
def test_two_columns_are_read_one_after_the_other(in_rows: bool) -> None:
    pieces = column(40, 500, *LEFT), column(220, 500, *RIGHT)
    rows = [piece for row in zip(*pieces, strict=True) for piece in row]
    page = [(10, 40, 540, "A line that goes across both of the columns, as titles do here.")]
    page += rows if in_rows else [*pieces[0], *pieces[1]]
    book = read(pdf(page, font="H"), "a.pdf")
    text = " ".join(book.chapters[0].text.split())
    assert text.endswith(" ".join([*LEFT, *RIGHT]))
    assert book.ledger.adds_up


def test_two_columns_join_their_words() -> None:
    left = [*LEFT[:4], "of the book by the old wide ri-"]
    page = [*column(40, 500, *left), *column(220, 500, "ver that goes by, which comes", *RIGHT[1:])]
    text = read(pdf(page, font="H"), "a.pdf").chapters[0].text
    assert "the old wide river that goes by, which comes is as long" in text


def test_a_typographic_hyphen_ends_a_line() -> None:
    page = column(40, 500, "The keeper lit the wind-", "ow and sat down beside the well-known one.")
    text = read(pdf(page, font="U"), "a.pdf").chapters[0].text
    assert text == "The keeper lit the window and sat down beside the well\u2010known one."


def test_a_font_without_a_map_is_said_to_be_one() -> None:
    page = column(40, 500, *["".join(f"\\000\\{n:03o}" for n in range(40, 90))] * 5)
    with pytest.raises(UserError, match="no Unicode map"):
        read(pdf(page, font="N"), "a.pdf")


PROSE_OF_PDF = [
    "The keeper of the lamp went up to the light",
    "and the ship came home again by the light of",
]


@pytest.mark.parametrize(
    ("ending", "heard"),
    [
        (
            [
                (10, 40, 416, "it, so he called"),
                (8, 120, 416, "F:git status --long"),
                (8, 230, 416, "F:and git log."),
            ],
            "it, so he called git status --long and git log.",
        ),
        (
            [
                (10, 40, 416, "it. Then this:"),
                (8, 40, 392, "F:git add --all"),
                (8, 40, 382, "F:git commit"),
            ],
            "it. Then this:\n\nCode example.",
        ),
    ],
    ids=["small code in a line", "a listing"],
)
def test_small_code_at_the_foot_of_a_page_is_no_note(
    ending: list[tuple[int, int, int, str]], heard: str
) -> None:
    page = [*column(40, 500, *PROSE_OF_PDF * 3), *[(10, 40, 428, PROSE_OF_PDF[1])], *ending]
    book = read(pdf(page, font="H"), "a.pdf")
    assert book.chapters[0].text.endswith(heard)
    assert "notes" not in reasons(book)
    assert book.ledger.adds_up


@pytest.mark.parametrize("height", [3, 5, 8])
def test_powers_and_indices_of_a_pdf(height: int) -> None:
    page = [
        *column(40, 500, *PROSE_OF_PDF), (10, 40, 470, "There are 10"), (6, 97, 470 + height, "23"),
        (10, 107, 470, "of them in H"), (6, 161, 467, "2"), (10, 164, 470, "O and the word"),
        (6, 233, 475, "5"), (10, 239, 470, "ends."),
    ]  # fmt: skip
    text = read(pdf(page, font="H"), "a.pdf").chapters[0].text
    assert text.endswith("There are 10²³ of them in H₂O and the word ends.")


def lines(*texts: str, page: int = 0) -> list[PdfLine]:
    return [PdfLine(page, text, 10, 40, 300, 500 - 12 * at) for at, text in enumerate(texts)]


def test_page_numbers_count_along_and_headings_do_not() -> None:
    pages = [
        lines(f"Chapter {3 * n}", "some words", "and more", "the end", f"- {n + 7} -", page=n)
        for n in range(6)
    ]
    found = pdf_lines.find_roles(pages)
    assert {roles[0] for roles in found} == {Role.BODY}
    assert {roles[-1] for roles in found} == {Role.NUMBER}


def test_a_head_comes_again_on_pages_near_by() -> None:
    pages = [lines("Part One", "a", "b", "c", "d" * (n + 1), page=n) for n in range(9)]
    assert {roles[0] for roles in pdf_lines.find_roles(pages)} == {Role.HEAD}
    apart = [
        lines("– Yes." if n % 9 == 0 else f"x{'y' * n}", "b" * n, "c", page=n) for n in range(40)
    ]
    assert pdf_lines.find_roles(apart)[9][0] is Role.BODY


@pytest.mark.parametrize(
    ("before", "after", "keeps"),
    [
        ("он взял кни", "гу со стола", False),
        ("барин", "то прозвал", True),
        ("чёрно", "белый", True),
        ("Нью", "Йорк", True),
        ("кое", "что", True),
    ],
)
def test_a_hyphen_parts_a_word_or_belongs_to_it(before: str, after: str, keeps: bool) -> None:
    known = pdf_lines.count_words([lines("чёрно-белый снимок", "книгу")])
    assert pdf_lines.keeps_hyphen(before, after, known) is keeps


# Calibre


def test_without_calibre_one_line_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"x.mobi is a Kindle book.*install Calibre"):
        calibre.convert_to_epub(b"", ".mobi", "x.mobi", find=lambda program: None)


def test_calibre_is_given_a_name_that_is_no_option() -> None:
    asked: list[list[str]] = []

    def run(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
        asked.append(list(command))
        assert Path(command[1]).read_bytes() == b"book"
        Path(command[2]).write_bytes(b"made")
        return 0, ""

    made = calibre.convert_to_epub(
        b"book", ".mobi", "--evil.mobi", find=lambda p: f"/bin/{p}", run=run
    )
    assert made == b"made"
    ((program, given, target),) = asked
    assert program == "/bin/ebook-convert"
    assert Path(given).name == "book.mobi"
    assert not Path(given).exists()
    assert not Path(target).exists()


@pytest.mark.parametrize(
    ("code", "said", "message"),
    [
        (1, "Traceback\ncalibre.ebooks.DRMError: locked", r"is locked \(DRM\)"),
        (1, "Traceback\nValueError: bad header\n\n", "by Calibre: ValueError: bad header"),
        (0, "", "exit code 0"),
    ],
)
def test_what_calibre_cannot_read_is_told(code: int, said: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        calibre.convert_to_epub(
            b"", ".rtf", "x.rtf", find=lambda program: program, run=lambda c, s: (code, said)
        )
