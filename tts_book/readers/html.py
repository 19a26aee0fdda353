"""HTML: web pages, whose banners and menus are left out, and the documents inside an EPUB."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tts_book.errors import UserError
from tts_book.readers import xml
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.formulas import is_simple, write_formula
from tts_book.readers.tree_text import (
    Builder,
    Element,
    Notes,
    attribute,
    find_head,
    name_of,
    text_of,
    walk_tree,
)
from tts_book.text.announcements import Sign
from tts_book.text.normalize import Kind

_BLOCKS = frozenset(
    (
        "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "blockquote", "section", "article", "body",
        "main", "header", "footer", "figure", "figcaption", "address", "table", "tr", "caption",
        "center", "fieldset", "form", "hgroup", "thead", "tbody", "details", "summary", "aside",
        "nav", "pre", "dialog", "search", "menu", "legend", "tfoot",
    )
)  # fmt: skip
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_NO_TEXT = ("head", "script", "style")  # what is written there is meant for programs
_LEFT_OUT = {
    "nav": "contents list", "pre": "code", "math": "formula", "svg": "figure",
    "noscript": "noscript", "template": "hidden", "rt": "ruby", "rp": "ruby", "rtc": "ruby",
    "button": "form field", "textarea": "form field", "select": "form field",
    "datalist": "form field", "iframe": "media", "object": "media", "audio": "media",
    "video": "media", "canvas": "media", "noframes": "hidden", "noembed": "hidden",
}  # fmt: skip
_DRAWN = {"svg": "", "title": "figure", "desc": "figure", "metadata": "figure"}
_SHOWN = ("img", "image", "svg", "object", "audio", "video", "canvas", "iframe", "embed", "input")
_CODE = ("code", "kbd", "samp", "tt", "var")
_NOTE_TYPES = frozenset(("noteref", "doc-noteref", "biblioref", "doc-biblioref"))
_TYPES = {
    "footnote": "notes", "footnotes": "notes", "endnote": "notes", "endnotes": "notes",
    "rearnote": "notes", "rearnotes": "notes", "doc-footnote": "notes", "doc-endnote": "notes",
    "doc-endnotes": "notes", "toc": "contents list", "doc-toc": "contents list",
    "landmarks": "contents list", "loi": "contents list", "lot": "contents list",
    "pagebreak": "page number", "doc-pagebreak": "page number", "page-list": "page number",
    "index": "index", "doc-index": "index", "copyright-page": "copyright",
    "imprint": "copyright", "colophon": "copyright", "doc-colophon": "copyright",
    "titlepage": "title page", "cover": "cover",
    "backlink": "note mark", "doc-backlink": "note mark",
}  # fmt: skip
_NO_FIGURE = frozenset(
    (
        "cover", "ornament", "decoration", "decorative", "separator", "divider", "flourish",
        "vignette", "logo", "dropcap", "initial", "обложка", "орнамент", "виньетка", "заставка",
        "логотип", "divisor", "titelbild", "zierleiste", "couverture",
    )
)  # fmt: skip
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w-]{3,20})", re.I)
_WIDEST = 100  # columns that a cell may span


@dataclass(slots=True)
class PageWalk:
    """How a document is walked: whether everything is read, what its places are called, and the
    titles that a table of contents gives to its anchors: title and level by anchor. `page` is what
    links start from; notes are read where they stand (`keep_notes`) or where their marks stand
    (`notes`); `reason` leaves the whole page out; `site` knows what of a web page is not its text.
    A page that `is_drawing` has its text in an SVG.
    """

    builder: Builder
    everything: bool = False
    prefix: str = ""
    entries: dict[str, tuple[str, int]] = field(default_factory=dict)
    inner_level: int = 0
    page: str = ""
    keep_notes: bool = False
    notes: Notes | None = None
    reason: str = ""
    site: Site | None = None
    is_drawing: bool = False


def read_html(
    decoded: Decoded, name: str, options: ReadOptions, *, is_web_page: bool = True
) -> ParsedBook:
    """A page in blocks. Raises UserError if there is nothing in it."""
    root = parse_page(decoded.text, name)
    builder = Builder(name, options.code)
    notes = None
    if options.notes == "inline":
        notes = Notes()
        notes.collect("", root)
    site = Site(root) if is_web_page else None
    walk_page(
        root,
        PageWalk(
            builder,
            options.everything,
            keep_notes=options.notes == "end",
            notes=notes,
            site=site,
        ),
    )
    source, text, found = builder.finish()
    return ParsedBook(
        source=source,
        text=text,
        paragraphs=found,
        title=find_title(root),
        language=find_language(attribute(root, "lang")),
        encoding=decoded.encoding,
        notices=(decoded.notice,) if decoded.notice else (),
    )


def find_declared_encoding(data: bytes) -> str:
    """The encoding that a page declares, if it names one that exists."""
    found = _CHARSET.search(data[:4096])
    if found is None:
        return ""
    import codecs

    try:
        return codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return ""


def parse_page(text: str, name: str) -> Element:
    """The tree of a page: strictly as XHTML if it is that, else as forgiving as browsers are."""
    text = xml.write_out_entities(text)
    if "<html" in text[:4096] and "xhtml" in text[:4096]:
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        clean = re.sub(r"\A\s*<\?xml[^>]*\?>", "", text)
        try:
            root = etree.fromstring(clean.encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError:
            return parse_forgivingly(text, name)
        if not any(node.tag is etree.Entity for node in root.iter()):
            return root
    return parse_forgivingly(text, name)


def parse_forgivingly(text: str, name: str) -> Element:
    """The tree of a page, however broken: no entities from outside, no network."""
    from lxml import etree
    from lxml import html as forgiving

    clean = re.sub(r"^\s*<\?xml[^>]*\?>", "", text).replace("\x00", "")
    data = clean.encode("utf-8", "replace")
    parser = forgiving.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        root = forgiving.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        raise UserError(f"{name} has no words to read aloud") from None
    if any("Excessive depth" in error.message for error in parser.error_log):
        raise UserError(f"{name} is nested too deeply to be a page: save it again, or as .txt")
    return root


def is_blank_page(root: Element) -> bool:
    """Whether a page shows nothing: no words, no pictures, nothing to play."""
    body = _body(root)
    return not text_of(body) and not any(name_of(element) in _SHOWN for element in body.iter())


def walk_page(root: Element, how: PageWalk) -> None:
    """Writes what a page says into the builder."""
    walker = _PageWalker(how, has_words=bool(text_of(_body(root))))
    for event, element in walk_tree(root):
        if event == "start":
            walker.start(element)
        else:
            walker.end(element)
    how.builder.close()


def _body(root: Element) -> Element:
    return next((element for element in root if name_of(element) == "body"), root)


@dataclass(slots=True)
class _Table:
    """The heads of a table's columns, and the column that comes next."""

    heads: list[str] = field(default_factory=list)
    column: int = 0
    has_rows: bool = False


class _PageWalker:
    """Keeps where the walk is inside something silent or left out."""

    def __init__(self, how: PageWalk, *, has_words: bool) -> None:
        self._how = how
        self._builder = how.builder
        self._has_words = has_words
        self._silent: Element | None = None  # inside what has no text for a reader
        self._aside: tuple[Element, int, str, bool] | None = None  # inside what is left out
        self._waiting = how.entries.get("")
        self._row: Element | None = None  # a row of a table is read as one sentence
        self._tables: list[_Table] = []
        self._group: Element | None = None  # of lines that are one heading
        self._group_level = 0
        self._scripts: list[tuple[Element, int]] = []
        self._figure: Element | None = None
        self._is_captioned = False  # the figure

    def start(self, element: Element) -> None:
        if self._silent is not None:
            return
        name = name_of(element)
        notes = self._how.notes
        if name in _NO_TEXT or (notes and element in notes.read):
            self._silent = element
            return
        if notes:
            notes.enter(element)
        if self._aside is None:
            self._anchor(element)
            reason = self._reason(element, name)
            if reason:
                self._leave_out(element, name, reason)
            else:
                self._open(element, name)
        self._builder.write(element.text)

    def end(self, element: Element) -> None:
        if self._silent is not None and element is not self._silent:
            return
        if element is self._silent:
            self._silent = None
        elif isinstance(element.tag, str):
            if self._aside is None:
                self._close(element, name_of(element))
            elif element is self._aside[0]:
                self._end_aside(*self._aside)
            if self._how.notes:
                self._how.notes.leave(element)
        self._builder.write(element.tail)

    # What is left out

    def _leave_out(self, element: Element, name: str, reason: str) -> None:
        builder = self._builder
        is_block = name in _BLOCKS or attribute(element, "display") == "block"
        is_block = is_block and self._row is None and reason != "note mark"
        if reason == "code" and builder.code == "read":
            self._open(element, name)
            return
        if is_block and reason == "code":
            builder.open_code()
        elif is_block and reason != "formula":
            builder.open(Kind.LEFT_OUT, reason=reason)
        elif is_block:
            builder.open()
        self._aside = (element, builder.length, reason, is_block)

    def _end_aside(self, element: Element, start: int, reason: str, is_block: bool) -> None:
        builder = self._builder
        self._aside = None
        if reason == "formula":
            self._end_formula(element, start)
        elif not is_block:
            builder.drop(start, reason)
        if is_block:
            builder.close()
        if reason == "note mark" and self._how.notes:
            self._how.notes.queue(element, self._how.page, builder)
        elif reason == "figure" and not is_block:
            self._picture(element)

    def _end_formula(self, math: Element, start: int) -> None:
        code = self._builder.code
        if code == "read" or is_simple(math):
            self._builder.replace(start, write_formula(math))
        else:
            sign = Sign.FORMULA if code == "announce" else ""
            self._builder.replace(start, sign, "formula")

    def _reason(self, element: Element, name: str) -> str:
        types = f"{attribute(element, 'type')} {attribute(element, 'role')}".split()
        if _NOTE_TYPES.intersection(types) or (name == "sup" and is_note_link(element)):
            return "note mark"
        if name == "a" and is_marked_link(element):
            return "note mark"
        if self._how.is_drawing and name in _DRAWN:
            return _DRAWN[name]
        if name != "nav" and name in _LEFT_OUT:
            return _LEFT_OUT[name]
        if self._is_hidden(element):
            return "hidden"
        if self._how.everything:
            return ""
        if self._how.reason:
            return self._how.reason
        told = next((_TYPES[found] for found in types if found in _TYPES), "")
        if not told and self._how.site:
            told = self._how.site.find_reason(element, name)
        if not told:
            told = "notes" if is_note(element) else _LEFT_OUT.get(name, "")
        return "" if told == "notes" and self._how.keep_notes else told

    def _is_hidden(self, element: Element) -> bool:
        if element.get("hidden") is not None or attribute(element, "aria-hidden") == "true":
            return True
        if is_unseen(element.get("style", "")):
            return True
        return self._how.site is not None and self._how.site.hides(element)

    # What is read

    def _open(self, element: Element, name: str) -> None:
        builder = self._builder
        if self._group is not None:
            if name in _BLOCKS or name in _HEADINGS:
                kind = Kind.PROSE if name not in _HEADINGS and builder.has_heading else Kind.HEADING
                builder.open(kind, self._group_level)
        elif name in _HEADINGS or (name == "hgroup" and _first_heading(element) is not None):
            self._open_heading(element, name)
        elif name == "p" and self._waiting:
            # A chapter of the table of contents without a heading of its own gets that one.
            title, level = self._waiting
            self._waiting = None
            builder.open(Kind.HEADING, level)
            builder.write(title)
            builder.open()
        elif name == "hr":
            builder.scene()
        elif name == "br":
            builder.line_end()
        elif name == "pre" and self._row is None:
            builder.open(Kind.VERSE)
        elif name == "tr" and self._row is None:
            self._open_row(element)
        elif name in ("td", "th"):
            self._open_cell(element)
        elif self._is_block(name) and self._row is None:
            builder.open()
        if name in _CODE or name == "pre":
            builder.verbatim += 1
        elif name in ("sup", "sub"):
            self._scripts.append((element, builder.length))
        elif name == "table":
            self._tables.append(_Table())
        elif name == "figure":
            self._figure, self._is_captioned = element, _has_caption(element)
        elif name == "img":
            self._picture(element)

    def _is_block(self, name: str) -> bool:
        return name in _BLOCKS or (name == "text" and self._how.is_drawing)

    def _open_heading(self, element: Element, name: str) -> None:
        heading = element if name in _HEADINGS else _first_heading(element)
        level = int(name_of(heading)[1]) + self._how.inner_level
        if self._waiting:
            level = self._waiting[1]
            self._waiting = None
        self._builder.open(Kind.HEADING, level)
        if name == "hgroup":
            self._group, self._group_level = element, level
            self._builder.heading_begin()

    def _open_row(self, element: Element) -> None:
        if is_row(element):
            self._builder.open()
            self._row = element
        else:
            self._builder.open()
        if not self._tables:
            return
        table = self._tables[-1]
        table.column = 0
        if not table.heads and not table.has_rows:
            cells = [cell for cell in element if name_of(cell) in ("td", "th")]
            if len(cells) > 1 and all(name_of(cell) == "th" for cell in cells):
                for cell in cells:
                    table.heads += [find_head(text_of(cell))] * _span(cell)
                table.column = len(table.heads)  # no heads over heads
        table.has_rows = True

    def _open_cell(self, element: Element) -> None:
        if self._tables:
            table = self._tables[-1]
            if table.column < len(table.heads):
                self._builder.cell_begin(table.heads[table.column])
            table.column += _span(element)

    def _picture(self, element: Element) -> None:
        """A picture that stands alone and that its author describes."""
        alt = attribute(element, "alt") or attribute(element, "aria-label")
        is_described = any(map(str.isalpha, alt)) and not _is_ornament(alt)
        is_figure = is_described if self._figure is None else not self._is_captioned
        if is_figure and self._has_words and self._row is None:
            self._builder.figure(" ".join(alt.split()))

    def _close(self, element: Element, name: str) -> None:
        builder = self._builder
        if name in _CODE or name == "pre":
            builder.verbatim = max(0, builder.verbatim - 1)
        elif self._scripts and self._scripts[-1][0] is element:
            builder.script_end(name, self._scripts.pop()[1])
        if element is self._group:
            self._group = None
            builder.close()
            builder.heading_end()
        elif element is self._row:
            self._row = None
            builder.close()
        elif name in ("td", "th"):
            builder.cell_end() if self._row is not None else builder.close()
        elif (self._is_block(name) and self._row is None) or name in _HEADINGS:
            builder.close()
        elif name in _BLOCKS and element.getnext() is not None:
            builder.write(" ")
        if name == "table" and self._tables:
            self._tables.pop()
        elif element is self._figure:
            self._figure = None

    def _anchor(self, element: Element) -> None:
        anchor = attribute(element, "id") or (
            attribute(element, "name") if name_of(element) == "a" else ""
        )
        if anchor:
            self._builder.label(f"{self._how.prefix}{anchor}")
            self._waiting = self._how.entries.get(anchor) or self._waiting


_HOLDS_NOTES = frozenset(("div", "p", "section", "aside", "li", "ol", "ul", "dl", "dd"))
_NOTE_CLASSES = frozenset(("footnote", "footnotes", "endnote", "endnotes", "footnote-text"))
_NOTE_IDS = ("footnote-", "endnote-")
_NO_DATA = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "table", "br", "hr", "pre", "ul", "ol"))
_LONGEST_ROW = 1_000  # characters
_LONGEST_ORNAMENT = 40


def is_row(element: Element) -> bool:
    """A row of data; tables that lay out a page hold more, and headings."""
    length = 0
    for inner in element.iter():
        length += len(inner.text or "") + len(inner.tail or "")
        if length > _LONGEST_ROW or name_of(inner) in _NO_DATA:
            return False
    return True


def is_note(element: Element) -> bool:
    """What Word and older books call their notes."""
    if name_of(element) not in _HOLDS_NOTES:
        return False
    classes = attribute(element, "class").lower().split()
    return bool(_NOTE_CLASSES.intersection(classes)) or (
        name_of(element) == "li" and attribute(element, "id").startswith(_NOTE_IDS)
    )


def is_note_link(element: Element) -> bool:
    """Whether a raised text is a link to a note."""
    text = text_of(element)
    return any(name_of(child) == "a" for child in element) and len(text) < 8


def is_marked_link(element: Element) -> bool:
    """A link to a place that is only a number or a star."""
    if not attribute(element, "href").partition("#")[2] or len(element) > 1:
        return False
    text = text_of(element)
    inner = all(name_of(child) == "sup" for child in element)
    return (
        len(text) < 7
        and bool(re.fullmatch(r"[\[({]?(?:\d{1,4}|\*{1,3}|[†‡])[\])}]?", text))
        and (inner or text[0] in "[({*†‡")
    )


def _first_heading(group: Element) -> Element | None:
    return next((child for child in group if name_of(child) in _HEADINGS), None)


def _is_ornament(description: str) -> bool:
    words = re.findall(r"\w+", description[:_LONGEST_ORNAMENT].casefold())
    return len(description) < _LONGEST_ORNAMENT and not _NO_FIGURE.isdisjoint(words)


def _has_caption(figure: Element) -> bool:
    return any(name_of(inner) == "figcaption" and text_of(inner) for inner in figure.iter())


def _span(cell: Element) -> int:
    span = attribute(cell, "colspan")
    return min(_WIDEST, max(1, int(span))) if span.isascii() and span.isdecimal() else 1


# Web pages: what of them is not their text, and what they are called.
#
# Only pages from the web are looked at like this; the pages of a book have no cookie banners.


_ROLES = {
    "navigation": "navigation", "search": "form field", "contentinfo": "page footer",
    "dialog": "dialog", "alertdialog": "dialog", "complementary": "sidebar", "menu": "navigation",
    "menubar": "navigation", "toolbar": "navigation",
}  # fmt: skip
_WORDS = {
    "cookie notice": "cookie cookies consent gdpr cookiebar cookiebanner cookie-banner "
    "cookie-notice cookie-consent cookie-bar cookie-law cookie-popup",
    "comments": "comments comment-list commentlist comments-area comments-section comment-section "
    "disqus disqus_thread respond comment-respond comment-form",
    "navigation": "navbar nav-bar navigation site-navigation main-navigation breadcrumb "
    "breadcrumbs menu main-menu site-menu skip-link skiplink pagination pager post-navigation",
    "sidebar": "sidebar side-bar widget widget-area related related-posts related-articles "
    "recommendations newsletter subscribe subscription share sharing share-buttons social "
    "social-share social-links promo",
    "advertisement": "ad ads advert adverts advertisement advertising banner-ad sponsored",
    "page footer": "footer site-footer page-footer footer-wrapper",
    "page header": "site-header masthead topbar top-bar",
    "contents list": "toc table-of-contents",
    "Project Gutenberg licence": "pg-boilerplate pgheader pgfooter",
}
_BY_WORD = {word: reason for reason, words in _WORDS.items() for word in words.split()}
_COOKIE = frozenset(("cookie", "cookies", "gdpr", "consent"))
_BANNER = frozenset(("banner", "notice", "bar", "popup", "modal", "dialog", "overlay", "message"))
_OF_ARTICLE = ("article", "main", "section", "blockquote", "figure")
_SIMPLE = re.compile(r"[.#][\w-]{1,100}")
_LONGEST_STYLE = 500_000  # characters
_DEEPEST = 200  # elements around a footer


class Site:
    """What of a web page belongs to its site rather than to its text."""

    def __init__(self, root: Element) -> None:
        self._hidden = _find_hidden(root)
        # The page's own text or title stands in these, whatever they are called.
        self._hold_text: set[Element] = set()
        for element in root.iter():
            if name_of(element) in ("article", "main", "h1"):
                for up in element.iterancestors():
                    if up in self._hold_text:
                        break
                    self._hold_text.add(up)

    def hides(self, element: Element) -> bool:
        """Whether the page's own style sheet hides an element by its class or id."""
        if not self._hidden:
            return False
        classes = (f".{name}" for name in element.get("class", "").split())
        return f"#{element.get('id')}" in self._hidden or any(c in self._hidden for c in classes)

    def find_reason(self, element: Element, name: str) -> str:
        """Why an element is left out; empty if it is text."""
        if name in ("html", "body", "main", "article", "h1"):
            return ""
        return "" if element in self._hold_text else _reason_of(element, name)


def _reason_of(element: Element, name: str) -> str:
    role = attribute(element, "role")
    if role in _ROLES:
        return _ROLES[role]
    if name == "nav":
        return "navigation"
    if name in ("footer", "header") and not _is_of_article(element):
        return f"page {name}"
    if name == "aside" and not _is_of_article(element) and _is_made_of_links(element):
        return "sidebar"
    said = f"{element.get('class', '')} {element.get('id', '')}".lower()
    words = set(re.findall(r"[^\W_]+", said))
    if words & _COOKIE and words & _BANNER:
        return "cookie notice"
    return next((_BY_WORD[word] for word in said.split() if word in _BY_WORD), "")


def _is_made_of_links(element: Element) -> bool:
    links = sum(len(text_of(inner)) for inner in element.iter() if name_of(inner) == "a")
    return 2 * links > len(text_of(element))


def _is_of_article(element: Element) -> bool:
    for depth, up in enumerate(element.iterancestors()):
        if name_of(up) in _OF_ARTICLE or depth > _DEEPEST:
            return True
    return False


def _find_hidden(root: Element) -> frozenset[str]:
    """Classes and ids that a page's style sheets do not show, as `.class` and `#id`."""
    found: set[str] = set()
    for style in root.iter("style", "{*}style"):
        for rule in (style.text or "")[:_LONGEST_STYLE].split("}"):
            selectors, _, declarations = rule.partition("{")
            if is_unseen(declarations):
                names = map(str.strip, selectors.split(","))
                found.update(name for name in names if _SIMPLE.fullmatch(name))
    return frozenset(found)


def is_unseen(style: str) -> bool:
    """Whether these declarations hide what they are for."""
    if "display" not in style and "visibility" not in style:
        return False
    pairs = (declaration.partition(":") for declaration in style.lower().split(";"))
    told = {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}
    return told.get("display") == "none" or told.get("visibility") == "hidden"


def find_title(root: Element) -> str:
    """What a page is called: as its article is, rather than with the name of the site."""
    title = next((text_of(e) for e in root.iter() if name_of(e) == "title"), "")
    heads = [e for e in root.iter() if name_of(e) == "h1" and text_of(e)]
    of_article = [e for e in heads if any(name_of(up) in ("article", "main") for up in _above(e))]
    heads = heads if len(heads) == 1 else of_article
    if len(heads) == 1:
        head = text_of(heads[0])
        at = title.casefold().find(head.casefold())
        if at >= 0:
            return title[at : at + len(head)]  # which may be in capitals in the page
        if of_article or not title:
            return head
    metas = (e for e in root.iter() if name_of(e) == "meta")
    shared = (m.get("content") for m in metas if attribute(m, "property") == "og:title")
    return next((str(name).strip() for name in shared if name), title)


def _above(element: Element) -> list[Element]:
    return [up for _, up in zip(range(_DEEPEST), element.iterancestors(), strict=False)]
