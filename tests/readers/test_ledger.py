"""Every character of a book's markup is spoken or skipped with a reason.

What there is to account for is counted here from the raw markup by other means than the readers'.
"""

from __future__ import annotations

import html
import re
from unicodedata import is_normalized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers.test_books import BODY, FILES, fb2, package, packed, page
from tests.readers.test_office import NOTES, W, docx, paragraph
from tts_book import readers
from tts_book.model import Book
from tts_book.readers import ReadOptions
from tts_book.readers.book import CodeAs, NotesAt, count_by_reason
from tts_book.text.announcements import UrlsAs

EN = "The old man walked slowly down to the river, and his dog went with him as always."
MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def ink_of(markup: str) -> int:
    """The characters that markup shows or hides, without blanks, comments, scripts and styles."""
    text = re.sub(r"<!--.*?-->|<\?.*?\?>", "", markup, flags=re.S)
    for name in ("head", "script", "style", "description", "binary"):
        text = re.sub(rf"<{name}\b.*?</{name}>", "", text, flags=re.S)
    return len("".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split()))


def reasons(book: Book) -> set[str]:
    return {reason for chapter in book.chapters for reason in count_by_reason(chapter.skips)}


def text_of(book: Book) -> str:
    return "\n\n".join(chapter.text for chapter in book.chapters)


# A piece of a page, what is heard of it, and why the rest is not.
PIECES = [
    ("<p>Let <math><mi>x</mi></math> be.</p>", "Let x be.", ""),
    ("<p>No <math><mi>\ue000</mi></math> here.</p>", "No here.", "invisible character"),
    ("<p>So <math><mi>e\u0301</mi><mn>1</mn></math> is.</p>", "So é1 is.", ""),
    ("<p>Here <math><mfrac><mi>a</mi><mi>b</mi></mfrac></math> is.</p>", "Here formula is.",
     "formula"),
    ('<math display="block"><msqrt><mn>2</mn></msqrt><annotation encoding="TeX">\\sqrt 2'
     "</annotation></math>", "\n\nFormula.\n\n", "formula"),
    ("<p>Press <button>OK</button> now.</p>", "Press now.", "form field"),
    ("<p>Say <textarea>your word</textarea> now.</p>", "Say now.", "form field"),
    ("<select><option>one</option><option>two</option></select><p>Go.</p>", "Go.", "form field"),
    ("<noscript><p>Turn it on.</p></noscript><p>Go.</p>", "\n\nGo.\n\n", "noscript"),
    ("<video>No film.</video><p>Go.</p>", "\n\nGo.\n\n", "media"),
    ("<svg><text>north</text></svg><p>Go.</p>", "\n\nGo.\n\n", "figure"),
    ("<template><p>Later.</p></template><p>Go.</p>", "\n\nGo.\n\n", "hidden"),
    ("<p hidden='hidden'>Secret.</p><p>Go.</p>", "\n\nGo.\n\n", "hidden"),
    ("<p>So <span style='color: red; display: none'>not</span> so.</p>", "So so.", "hidden"),
    ("<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby></p>", "\n\n漢\n\n", "ruby"),
    ("<pre>git commit --amend\n</pre><pre>argv[1]</pre>", "\n\nCode example.\n\n", "code"),
    ("<aside><p>By the way.</p></aside>", "\n\nBy the way.\n\n", ""),
    ("<p>Run <code>git checkout -- argv[1] --stat</code>.</p>",
     "Run git checkout -- argv[1] --stat.", ""),
    ("<p>10<sup>23</sup>, log<sub>2</sub>8, a word<sup>2</sup>.</p>", "10²³, log₂8, a word.",
     "note mark"),
    ("<table><tr><th>Year</th><th>Ships</th></tr><tr><td>1850</td><td>12</td></tr></table>",
     "Year, Ships\n\nYear: 1850, Ships: 12", ""),
    ("<figure><img src='a.png' alt='x'/></figure>", "\n\nFigure.\n\n", ""),
    ("<figure><img src='a.png' alt='x'/><figcaption>A mill.</figcaption></figure>",
     "\n\nA mill.\n\n", ""),
    ("<p>See https://example.org/a_b?c=1#d. And www.example.net/x, too.</p>",
     "See link to example.org. And link to example.net, too.", "web address"),
    ("<p>Since 9fceb02d0ae598e95dc970b74767f19372d61af8 it works.</p>", "Since it works.", "hash"),
    ("<hgroup><h2>IV</h2><p>The Mill</p></hgroup><p>Go.</p>", "IV\n\nThe Mill\n\nGo.", ""),
    ("<p>a<!-- no -->b<br/>c</p><script>d()</script><style>p{}</style>", "ab\nc", ""),
]  # fmt: skip


@pytest.mark.parametrize(("piece", "heard", "reason"), PIECES)
@pytest.mark.parametrize("kind", ["html", "epub"])
def test_every_character_of_a_page_is_accounted_for(
    kind: str, piece: str, heard: str, reason: str
) -> None:
    markup = page(f"<p>{EN}</p>{piece}<p>{EN}</p>")
    files = {**FILES, "OPS/book.opf": package("c1.xhtml"), "OPS/C1.xhtml": markup}
    data = markup.encode() if kind == "html" else packed(files)
    book = readers.read_bytes(data, f"a.{kind}", ReadOptions(language="en"))
    assert heard in text_of(book)
    assert reasons(book) == ({reason} if reason else set())
    assert book.ledger.adds_up
    assert book.ledger.source == ink_of(markup)


@pytest.mark.parametrize("code", ["skip", "announce", "read"])
@pytest.mark.parametrize("urls", ["skip", "host", "read"])
@pytest.mark.parametrize("notes", ["skip", "inline", "end"])
def test_no_option_loses_a_character(code: CodeAs, urls: UrlsAs, notes: NotesAt) -> None:
    """Apart from the descriptions of figures, which count as text where they are read."""
    pieces = "".join(piece for piece, _, _ in PIECES if "<figure>" not in piece)
    markup = page(f"<p>{EN}</p>{pieces}")
    files = {**FILES, "OPS/book.opf": package("c1.xhtml"), "OPS/C1.xhtml": markup}
    options = ReadOptions(language="en", code=code, urls=urls, notes=notes)
    book = readers.read_bytes(packed(files), "a.epub", options)
    assert book.ledger.adds_up
    assert book.ledger.source == ink_of(markup)
    assert ("Code example." in text_of(book)) is (code == "announce")
    assert ("git commit --amend" in text_of(book)) is (code == "read")
    assert ("link to example.org" in text_of(book)) is (urls == "host")


FB2_PIECES = [
    ("<p><code>git add --all</code></p><p><code>git commit</code></p>", "\n\nПример кода."),
    ("<p>Команда <code>git checkout --</code> нужна.</p>", "Команда git checkout -- нужна."),
    ("<p>Всего 10<sup>23</sup> и слово<sup>2</sup>.</p>", "Всего 10²³ и слово."),
    ("<table><tr><th>Год</th><th>Суда</th></tr><tr><td>1850</td><td>12</td></tr></table>",
     "Год, Суда\n\nГод: 1850, Суда: 12"),
    ("<poem><title><p>Песня</p></title><stanza><v>Раз</v><v>два</v></stanza></poem>", "Раз\nдва"),
    ("<p>До<a l:href='#n1' type='note'>1</a> и <image l:href='#i'/> после.</p>",
     "До и после."),
    ("<cite><p>Слово</p><text-author>Автор</text-author></cite>голый текст", "голый текст"),
]  # fmt: skip
FB2_NOTES = (
    "<body name='notes'><title><p>Примечания</p></title><section id='n1'><title><p>1</p></title>"
    "<p>Так.</p><table><tr><td>в таблице</td></tr></table></section></body>"
)


@pytest.mark.parametrize(("piece", "heard"), FB2_PIECES)
@pytest.mark.parametrize("notes", ["skip", "inline", "end"])
def test_every_character_of_an_fb2_is_accounted_for(piece: str, heard: str, notes: NotesAt) -> None:
    data = fb2(BODY.partition("<body name")[0].replace("</section></section>",
               f"{piece}</section></section>", 1) + FB2_NOTES)  # fmt: skip
    book = readers.read_bytes(data, "a.fb2", ReadOptions(language="ru", notes=notes))
    assert heard in text_of(book)
    assert book.ledger.adds_up
    assert book.ledger.source == ink_of(data.decode())


def formula(*parts: str) -> str:
    return f'<m:oMath xmlns:m="{MATH}">{"".join(parts)}</m:oMath>'


def m(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


POWER = f"<m:sSup><m:e>{m('10')}</m:e><m:sup>{m('23')}</m:sup></m:sSup>"
FRACTION = f"<m:f><m:num>{m('a')}</m:num><m:den>{m('b')}</m:den></m:f>"
HIDDEN = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret </w:t></w:r>"
BOX = (
    '<w:r><mc:AlternateContent xmlns:mc="x"><mc:Choice><w:drawing><w:txbxContent>'
    f"{paragraph('In a box.')}</w:txbxContent></w:drawing></mc:Choice></mc:AlternateContent></w:r>"
)


def word(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


WORD_PIECES = [
    (word("All ") + formula(m("x")) + word(" here"), "All x here", ""),
    (word("All ") + formula(POWER) + word(" here"), "All 10²³ here", ""),
    (word("All ") + formula(FRACTION) + word(" here"), "All formula here", "formula"),
    (f"<m:oMathPara xmlns:m='{MATH}'>{formula(FRACTION)}</m:oMathPara>", "\n\nFormula.",
     "formula"),
    (word("All ") + HIDDEN + word("here"), "All here", "hidden"),
    (BOX + word("All"), "All\n\nIn a box.", ""),
    ("<w:fldSimple>" + word("A field") + "</w:fldSimple>", "A field", ""),
    ("<w:bdo>" + word("A turn") + "</w:bdo>", "A turn", ""),
    (f"<w:ruby><w:rt>{word('kan')}</w:rt><w:rubyBase>{word('漢')}</w:rubyBase></w:ruby>", "漢",
     "hidden"),
]  # fmt: skip


@pytest.mark.parametrize(("piece", "heard", "reason"), WORD_PIECES)
def test_every_character_of_a_word_document_is_accounted_for(
    piece: str, heard: str, reason: str
) -> None:
    body = paragraph(EN) + f"<w:p>{piece}</w:p>"
    book = readers.read_bytes(docx(body), "a.docx", ReadOptions(language="en"))
    assert heard in text_of(book)
    assert reasons(book) == ({reason} if reason else set())
    assert book.ledger.adds_up
    assert book.ledger.source == ink_of(f"<x {W}>{body}</x>")


def test_notes_of_a_word_document_are_accounted_for() -> None:
    body = paragraph("A lamp|*|.")
    book = readers.read_bytes(docx(body), "a.docx", ReadOptions(language="en"))
    marks = len("[1]") + len("↑")  # Word shows numbers and arrows that its file does not hold
    assert book.ledger.source == ink_of(body) + ink_of(NOTES) + marks


NAMES = st.sampled_from(
    ["p", "div", "b", "code", "pre", "math", "mi", "sup", "sub", "button", "noscript", "aside",
     "table", "tr", "td", "th", "h2", "hgroup", "figure", "svg", "ruby", "rt", "ul", "li", "nav"]
)  # fmt: skip


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> str:
    """A well-formed piece of a page."""
    if depth == 0:
        return draw(
            st.sampled_from(
                [
                    "a",
                    "1 ",
                    " --x ",
                    "[2]",
                    "word. ",
                    "http://a.b/c ",
                    "x²",
                    "\ue000",
                    "\xad",
                    "e\u0301",
                ]
            )
        )
    name = draw(NAMES)
    inner = draw(st.lists(trees(depth=depth - 1), max_size=3))
    return f"<{name}>{''.join(inner)}</{name}>"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(trees(), max_size=4).map("".join),
    st.sampled_from(["skip", "announce", "read"]),
    st.sampled_from(["skip", "inline", "end"]),
)
def test_no_page_loses_a_character(body: str, code: CodeAs, notes: NotesAt) -> None:
    markup = page(f"<p>{EN}</p>{body}")
    files = {**FILES, "OPS/book.opf": package("c1.xhtml"), "OPS/C1.xhtml": markup}
    options = ReadOptions(language="en", code=code, notes=notes)
    book = readers.read_bytes(packed(files), "a.epub", options)
    assert book.ledger.adds_up
    assert book.ledger.source == ink_of(markup)
    text = text_of(book)
    assert is_normalized("NFC", text)
    assert text.replace("\n", "").isprintable()
