"""EPUB, FB2 and HTML: small books made here, whole and broken."""

from __future__ import annotations

import base64
import io
import zipfile
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book import readers
from tts_book.errors import UserError
from tts_book.model import Book, Break
from tts_book.readers import ReadOptions

EN = "The old man walked slowly down to the river, and his dog went with him as always. "
RU = "Старик медленно шёл к реке, и собака шла вместе с ним, как это было каждый день. "
PROSE = f"<p>{EN * 3}</p>"

PNG = b"\x89PNG\r\n\x1a\npicture"
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>'
    '<nav epub:type="toc"><h1>Contents</h1><ol><li><a href="p1.xhtml">Part One</a><ol>'
    '<li><a href="c1.xhtml">Chapter 1</a></li><li><a href="c2.xhtml#two">Chapter 2</a></li></ol>'
    '</li><li><a href="p2.xhtml">Part Two</a><ol><li><a href="c%203.xhtml">Chapter 1</a></li></ol>'
    "</li></ol></nav></body></html>"
)


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>x</title></head>'
        f"<body>{body}</body></html>"
    )


def package(*pages: str, metadata: str = "", extra: str = "") -> str:
    items = "".join(
        f'<item id="i{n}" href="{path}" media-type="application/xhtml+xml"/>'
        for n, path in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(pages)))
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>The River</dc:title><dc:creator>A. Nonymous</dc:creator>"
        f"<dc:language>en-GB</dc:language>{metadata}</metadata><manifest>{items}{extra}</manifest>"
        f"<spine>{spine}</spine></package>"
    )


FILES: dict[str, str | bytes] = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": package(
        "title.xhtml", "p1.xhtml", "c1.xhtml", "c2.xhtml", "p2.xhtml", "c%203.xhtml",
        "notes.xhtml",
        metadata='<meta name="cover" content="pic"/>',
        extra='<item id="nav" href="nav.xhtml" properties="nav" '
        'media-type="application/xhtml+xml"/>'
        '<item id="pic" href="pic.jpg" media-type="image/jpeg"/>',
    ),
    "OPS/nav.xhtml": NAV,
    "OPS/pic.jpg": b"\xff\xd8\xffpicture",
    "OPS/title.xhtml": page('<section epub:type="titlepage"><h1>The River</h1></section>'),
    "OPS/p1.xhtml": page("<h1>Part One</h1>"),
    "OPS/C1.xhtml": page(
        f'<h2>Chapter 1</h2><p>So he said<a epub:type="noteref" href="notes.xhtml#n1">1</a>: '
        f"&#8220;Go!&#8221; <em>Now</em>.</p>{PROSE}<hr/>{PROSE}<script>no()</script>"
    ),
    "OPS/c2.xhtml": page(f'<h2 id="two">Chapter 2</h2>{PROSE}<h3>Later</h3>{PROSE}'),
    "OPS/p2.xhtml": page("<h1>Part Two</h1>"),
    "OPS/c 3.xhtml": page(f"<p>No heading here.</p>{PROSE}"),
    "OPS/notes.xhtml": page('<aside epub:type="footnote" id="n1"><p>In the dialect.</p></aside>'),
}  # fmt: skip


def packed(files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(data: bytes, name: str = "river.epub", options: ReadOptions | None = None) -> Book:
    return readers.read_bytes(data, name, options or ReadOptions())


def all_text(book: Book) -> str:
    return "\n\n".join(chapter.text for chapter in book.chapters)


def test_an_epub_becomes_a_book() -> None:
    book = read(packed(FILES))
    assert (book.title, book.author, book.language) == ("The River", "A. Nonymous", "en-GB")
    assert book.cover is not None
    assert (book.cover.mime, book.cover.data[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert [chapter.title for chapter in book.chapters] == [
        "Part One — Chapter 1",
        "Part One — Chapter 2",
        "Part Two — Chapter 1",
    ]
    first, second, third = book.chapters
    assert first.text.startswith("Part One\n\nChapter 1\n\nSo he said: “Go!” Now.")
    assert Break.SCENE in [at.kind for at in first.breaks]
    assert "no()" not in all_text(book)
    assert [at.kind for at in second.breaks] == [Break.HEADING] * 2
    assert third.text.startswith("Part Two\n\nChapter 1\n\nNo heading here.")
    assert str(second.origin.place(0)) == "river.epub#c2.xhtml#two"
    reasons = {skip.reason for chapter in book.chapters for skip in chapter.skips}
    assert {"note mark", "notes", "title page"} <= reasons


def test_everything_brings_the_notes_back() -> None:
    assert "In the dialect." not in all_text(read(packed(FILES)))
    whole = read(packed(FILES), options=ReadOptions(everything=True))
    assert "In the dialect." in all_text(whole)


def without(*names: str, **changed: str | bytes) -> bytes:
    files = {name: content for name, content in FILES.items() if name not in names}
    return packed({**files, **changed})


NCX = (
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Chapter 1'
    '</text></navLabel><content src="c1.xhtml"/></navPoint><navPoint><navLabel><text>Chapter 2'
    '</text></navLabel><content src="c2.xhtml"/></navPoint></navMap></ncx>'
)
BROKEN = {
    "no container": without("META-INF/container.xml"),
    "no navigation": without("OPS/nav.xhtml"),
    "an item is missing": without("OPS/p2.xhtml"),
    "not well-formed": without(**{"OPS/p1.xhtml": "<html><body><h1>Part One<p>&nbsp;& more"}),
    "in windows-1252": without(**{"OPS/p1.xhtml": page("<h1>Part “One”</h1>").encode("cp1252")}),
    "in utf-16": without(**{"OPS/p1.xhtml": page("<h1>Part One</h1>").encode("utf-16")}),
    "backslashes": packed({name.replace("/", "\\"): content for name, content in FILES.items()}),
    "fonts are obfuscated": packed(
        {
            **FILES,
            "META-INF/encryption.xml": '<encryption><EncryptedData><EncryptionMethod '
            'Algorithm="http://www.idpf.org/2008/embedding"/></EncryptedData></encryption>',
        }
    ),
    "ncx only": packed(
        {
            **FILES,
            "OPS/toc.ncx": NCX,
            "OPS/book.opf": package(
                "c1.xhtml",
                "c2.xhtml",
                extra='<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
            ),
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_epub_is_read(name: str) -> None:
    text = all_text(read(BROKEN[name], options=ReadOptions(language="en")))
    assert "So he said: “Go!” Now." in text
    assert text.index("Chapter 1") < text.index("Chapter 2")


DRM = (
    '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/aes"/>'
    "</EncryptedData></encryption>"
)
REFUSED = {
    "is locked (DRM)": packed({**FILES, "META-INF/encryption.xml": DRM}),
    "damaged or cut-off": packed(FILES)[:-200],
    "no package file": packed({"META-INF/container.xml": CONTAINER}),
    "without a book": packed({"a.bin": b"\x00"}),
    "holds 2 texts": packed({"a.txt": EN, "b.txt": EN}),
    "too much for a book": packed({**FILES, "OPS/bomb.xhtml": b"0" * 60_000_000}),
    "damaged Word document": packed({"word/document.xml": "<w/>"}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_read_is_one_clear_line(message: str) -> None:
    with pytest.raises(UserError) as error:
        read(REFUSED[message])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def fb2(body: str, encoding: str = "utf-8", declared: str = "", head: str = "") -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{declared or encoding}"?>{head}'
        '<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" '
        'xmlns:l="http://www.w3.org/1999/xlink"><description><title-info>'
        "<author><first-name>Иван</first-name><last-name>Безымянный</last-name></author>"
        '<book-title>Река</book-title><coverpage><image l:href="#c.jpg"/></coverpage>'
        f"<lang>ru</lang><sequence name='Реки' number='2'/></title-info></description>{body}"
        f'<binary id="c.jpg" content-type="image/jpeg">{base64.b64encode(PNG).decode()}</binary>'
        "</FictionBook>"
    )
    return text.encode(encoding)


BODY = (
    "<body><title><p>Река</p></title><section><title><p>Часть первая</p></title>"
    f"<section><title><p>Глава 1</p></title><p>Он сказал<a l:href='#n1' type='note'>[1]</a>: «Иди!»"
    f"</p><subtitle>* * *</subtitle><p>{RU * 3}</p><poem><stanza><v>Я вода, ты берег,</v>"
    f"<v>до меня ничего</v></stanza></poem></section><section><title><p>Глава 2</p></title>"
    f"<p>{RU * 3}</p></section></section></body>"
    "<body name='notes'><section id='n1'><p>Так в рукописи.</p></section></body>"
)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", ""), ("windows-1251", ""), ("utf-8", "windows-1251"), ("utf-16", "")],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_an_fb2_becomes_a_book(encoding: str, declared: str, zipped: bool) -> None:
    data, name = fb2(BODY, encoding, declared), "river.fb2"
    if zipped:
        data, name = packed({name: data}), "river.fb2.zip"
    book = read(data, name)
    assert (book.title, book.author, book.language) == ("Река", "Иван Безымянный", "ru")
    assert book.cover is not None
    assert book.cover.data == PNG
    titles = [chapter.title for chapter in book.chapters]
    assert titles == ["Часть первая — Глава 1", "Часть первая — Глава 2"]
    first = book.chapters[0]
    assert first.text.startswith("Река\n\nЧасть первая\n\nГлава 1\n\nОн сказал: «Иди!»")
    assert "Я вода, ты берег,\nдо меня ничего" in first.text
    assert Break.SCENE in [at.kind for at in first.breaks]
    assert "рукописи" not in all_text(book)


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
)


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace("«Иди!»", "«Иди!» &b;&f;"),
        BODY.replace("«Иди!»", "«Иди!» & <br> \x01"),
        BODY.replace("</section></body>", "", 1),
    ],
)
def test_hostile_and_broken_xml(body: str) -> None:
    text = all_text(read(fb2(body, head=LAUGHS), "river.fb2"))
    assert "«Иди!»" in text
    assert "root:" not in text
    assert "hahaha" not in text


def test_a_web_page() -> None:
    source = (
        "<!DOCTYPE html><html lang=en><head><title>River</title><style>p{}</style></head><body>"
        f"<nav><a href=/>Home</a></nav><h1>One</h1>{PROSE}<pre>code()</pre><h1>Two</h1>{PROSE}"
        "<table><tr><td>man</td><td>dog</td></tr></table>a<br>b"
    )
    book = read(source.encode(), "river.html")
    assert (book.title, book.language) == ("River", "en")
    assert [chapter.title for chapter in book.chapters] == ["One", "Two"]
    text = all_text(book)
    assert text.endswith("man, dog\n\na\nb")
    assert not {"code", "Home", "p{}"} & set(chain(text.split()))


TAGS = st.sampled_from(
    ["<p>", "</p>", "<h1>", "</h1>", "<hr/>", "<br/>", "<sup>", "</sup>", "<a href='#x'>", "</a>",
     "<nav>", "</nav>", "<pre>", "</pre>", "<td>", "<li id='q'>", "&amp;", "&x;", "<!-- c -->"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(TAGS, st.text(max_size=4)), max_size=25).map("".join))
def test_any_page_is_read_or_refused(body: str) -> None:
    data = f"<html><body>{body}".encode("utf-8", "ignore")
    try:
        book = read(data, "x.html", ReadOptions(language="en"))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert all(chapter.text.strip() for chapter in book.chapters)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4_000), st.binary(min_size=1, max_size=8))
def test_a_damaged_archive_is_read_or_refused(at: int, noise: bytes) -> None:
    data = bytearray(WHOLE)
    at %= len(data)
    data[at : at + len(noise)] = noise
    try:
        read(bytes(data), options=ReadOptions(language="en"))
    except UserError as error:
        assert "\n" not in str(error)


WHOLE = packed(FILES)


# Books whose files are damaged

C2 = FILES["OPS/c2.xhtml"]
assert isinstance(C2, str)
DAMAGED = {
    "c2.xhtml (Chapter 2) is missing from the archive": without("OPS/c2.xhtml"),
    "c2.xhtml (Chapter 2) is empty": without(**{"OPS/c2.xhtml": " \n"}),
    "c2.xhtml (Chapter 2) holds nothing": without(**{"OPS/c2.xhtml": page("<p> </p>")}),
    "c2.xhtml (Chapter 2) breaks off": without(**{"OPS/c2.xhtml": C2[: len(C2) // 2]}),
    "c2.xhtml (Chapter 2) is damaged": packed(
        {**FILES, "OPS/c2.xhtml": C2}, zipfile.ZIP_STORED
    ).replace(b"Chapter 2</h2><p>The", b"Chapter 2</h2><p>Thy"),
    '"i9" is not in the list': without(
        **{"OPS/book.opf": package("c1.xhtml").replace("</spine>", '<itemref idref="i9"/></spine>')}
    ),
}


@pytest.mark.parametrize("message", DAMAGED)
def test_a_damaged_chapter_is_reported(message: str) -> None:
    book = read(DAMAGED[message])
    (line,) = book.missing
    assert message in line
    assert "So he said: “Go!” Now." in all_text(book)


@pytest.mark.parametrize("name", [*BROKEN, "whole"])
def test_a_whole_book_lacks_nothing(name: str) -> None:
    lacks = {"an item is missing": 1, "not well-formed": 1}
    book = read(BROKEN.get(name, WHOLE), options=ReadOptions(language="en"))
    assert len(book.missing) == lacks.get(name, 0)


def test_an_fb2_that_breaks_off_is_reported() -> None:
    whole = fb2(BODY)
    assert not read(whole, "a.fb2").missing
    cut = read(whole[: whole.index("Глава 2".encode())], "a.fb2")
    assert "breaks off" in "".join(cut.missing)
    assert "Он сказал" in all_text(cut)


FALLBACK = package("x.json", "c1.xhtml").replace(
    '<item id="i0" href="x.json" media-type="application/xhtml+xml"/>',
    '<item id="i0" href="x.json" media-type="application/json" fallback="f"/>'
    '<item id="f" href="c2.xhtml" media-type="application/xhtml+xml"/>',
)


def test_the_fallback_of_a_file_that_is_no_page_is_read() -> None:
    data = packed({**FILES, "OPS/book.opf": FALLBACK, "OPS/x.json": "{}"})
    text = all_text(read(data))
    assert text.index("Chapter 2") < text.index("So he said")
    without_fallback = FALLBACK.replace('fallback="f"', "")
    book = read(packed({**FILES, "OPS/book.opf": without_fallback, "OPS/x.json": "{}"}))
    assert any("x.json (application/json) is not a page" in notice for notice in book.notices)


ENTITIES = (
    '<!DOCTYPE html [<!ENTITY who "the keeper"><!ENTITY out SYSTEM "secret.xml">'
    '<!ENTITY b "&who;&who;">]>'
)


def test_declared_entities_are_written_out_and_their_declarations_not_said() -> None:
    markup = ENTITIES + page(f"<p>Then &who; came&out;&b;.</p>{PROSE}").partition("?>")[2]
    files = {**FILES, "OPS/book.opf": package("c1.xhtml"), "OPS/C1.xhtml": markup}
    (chapter,) = read(packed(files)).chapters
    assert chapter.text.startswith("Then the keeper came.")


@pytest.mark.parametrize("declared", ["utf-8", "", "us-ascii"])
def test_the_bytes_of_an_fb2_decide_its_encoding(declared: str) -> None:
    data = fb2(BODY, "windows-1251", declared or "utf-8")
    if not declared:
        data = data.replace(b' encoding="utf-8"', b"")
    book = read(data, "a.fb2")
    assert book.title == "Река"
    assert all_text(book) == all_text(read(fb2(BODY), "a.fb2"))


# Web pages

SITE = f"""<!DOCTYPE html><html lang="en"><head><title>The Mill — River Daily</title>
<style>.gone {{ display: none }} p.seen {{ color: red }}</style></head><body>
<header><p>River Daily</p></header><nav><a href="/">Home</a></nav>
<div class="cookie-banner"><p>We use cookies.</p></div>
<article><h1>The Mill</h1><header><p>By A. Nonymous</p></header>{PROSE}
<p class="gone">Hidden one.</p><p style="display:none">Hidden two.</p><p hidden>Hidden three.</p>
<p aria-hidden="true">Hidden four.</p><blockquote><p>Said.</p><footer>A miller</footer></blockquote>
<div class="share">Share this</div></article>
<section id="comments"><p>First!</p></section><div role="dialog"><p>Subscribe now.</p></div>
<aside class="related"><a href="/x">Other mills</a></aside>
<footer><p>All rights reserved.</p></footer>
</body></html>"""


def test_a_web_page_is_read_without_its_site() -> None:
    book = read(SITE.encode(), "mill.html")
    assert book.title == "The Mill"
    assert (
        all_text(book) == f"The Mill\n\nBy A. Nonymous\n\n{(EN * 3).strip()}\n\nSaid.\n\nA miller"
    )
    assert book.ledger.adds_up
    everything = all_text(read(SITE.encode(), "mill.html", ReadOptions(everything=True)))
    assert "First!" in everything
    assert "Hidden" not in everything


@pytest.mark.parametrize("name", ["menu", "comments", "sidebar"])
def test_what_holds_the_article_is_not_left_out(name: str) -> None:
    source = (
        f'<html lang="en"><body><div class="{name}"><h1>The Mill</h1>{PROSE}</div></body></html>'
    )
    assert "The old man" in all_text(read(source.encode(), "mill.html"))


# Tables and notes of any size


def test_work_grows_with_a_table_only() -> None:
    cells = "<td>a</td><td></td>" * 20_000
    data = fb2(BODY.replace("<subtitle>", f"<table><tr>{cells}</tr></table><subtitle>", 1))
    assert "a, a, a" in all_text(read(data, "a.fb2"))


def test_work_grows_with_links_to_one_place_only() -> None:
    links = '<p>x<a epub:type="noteref" href="#all">1</a></p>' * 2_000
    markup = page(links + f'<div id="all">{links}{PROSE * 100}</div>' + links)
    files = {**FILES, "OPS/book.opf": package("c1.xhtml"), "OPS/C1.xhtml": markup}
    book = read(packed(files), options=ReadOptions(notes="inline"))
    assert book.ledger.adds_up


def test_a_page_that_is_a_drawing_says_its_text() -> None:
    item = '<item id="d" href="d.svg" media-type="image/svg+xml"/>'
    opf = package("c1.xhtml", extra=item).replace("<spine>", '<spine><itemref idref="d"/>')
    drawing = (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><title>No</title>'
        "<style>text {}</style><g><text>The lamp</text><text>was <tspan>lit.</tspan></text></g>"
        "</svg>"
    )
    book = read(packed({**FILES, "OPS/book.opf": opf, "OPS/d.svg": drawing}))
    assert all_text(book).startswith("The lamp\n\nwas lit.\n\n")
    assert book.ledger.adds_up


def test_a_contents_list_that_leads_nowhere_is_remarked_on() -> None:
    book = read(packed({**FILES, "OPS/nav.xhtml": NAV.replace("c1.xhtml", "lost.xhtml")}))
    assert any("lost.xhtml (Chapter 1) is in the contents" in notice for notice in book.notices)
    assert not book.missing
