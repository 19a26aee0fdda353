"""The parts of a made-up text as a file: plain text, Markdown, HTML, FB2 or EPUB, in an encoding,
and damaged."""

from __future__ import annotations

import io
import random
import textwrap
import zipfile
from collections.abc import Callable, Iterable, Iterator
from xml.sax.saxutils import escape

from texts_kinds import Form, Part

_WESTERN = ("windows-1252", "iso-8859-15")
_PAGES = {
    **dict.fromkeys(("en", "de", "fr", "es", "it", "pt"), _WESTERN),
    "ru": ("windows-1251", "koi8-r", "cp866", "iso-8859-5", "mac-cyrillic"),
    "uk": ("windows-1251", "koi8-u"),
    "kk": ("windows-1251",),
    "pl": ("windows-1250", "iso-8859-2"),
    "cs": ("windows-1250", "iso-8859-2"),
    "zh": ("gb18030", "big5"),
    "ja": ("shift-jis", "euc-jp"),
    "ko": ("euc-kr",),
    "el": ("windows-1253",),
    "tr": ("windows-1254",),
    "he": ("windows-1255",),
    "ar": ("windows-1256",),
    "vi": ("windows-1258",),
    "th": ("tis-620",),
}


def encoded(chance: random.Random, text: str, language: str) -> tuple[bytes, str, bool]:
    """The text as bytes, its encoding, and whether its bytes alone say which it is."""
    if chance.random() < 0.6:
        return text.encode("utf-8", "surrogatepass"), "utf-8", True
    pages = _PAGES.get(language, ())
    name = chance.choice(("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", *pages))
    unicode = name.startswith("utf")
    told = name in ("utf-8-sig", "utf-16", "utf-32")
    return text.encode(name, "surrogatepass" if unicode else "replace"), name, told


def plain(chance: random.Random, parts: Iterable[Part], language: str) -> str:
    """As people write plain texts: with blank lines, indents, wrapped lines, or a line each."""
    way = chance.choice(("blank lines", "blank lines", "indents", "lines", "wrapped"))
    end = chance.choice(("\n", "\n", "\r\n", "\r"))
    pieces = []
    for part in parts:
        if part.form is Form.HEADING:
            blank = "\n" * chance.randint(1, 4)
            pieces.append(f"{blank}{part.lines[0]}{blank}")
        elif part.form is Form.LIST:
            pieces += [
                f"{chance.choice(('- ', '• ', '* ', f'{n}. '))}{line}"
                for n, line in enumerate(part.lines, 1)
            ]
        elif part.form is Form.TABLE:
            pieces += ["\t".join(line.split(" ")) for line in part.lines]
        elif part.form is Form.VERSE:
            pieces.append("\n".join(f"    {line}" for line in part.lines) + "\n")
        else:
            pieces += map(_laid_out(way), part.lines)
    return "\n".join(pieces).replace("\n", end)


def _laid_out(way: str) -> Callable[[str], str]:
    if way == "wrapped":
        return lambda line: (
            "\n".join(textwrap.wrap(line, 70) if len(line) < 20_000 else [line]) + "\n"
        )
    return {"blank lines": "{}\n", "indents": "    {}", "lines": "{}"}[way].format


def markdown(chance: random.Random, parts: Iterable[Part], language: str) -> str:
    """With its marks for headings, lists, quotes and tables."""
    pieces = ["---\ntitle: A text\n---\n"] if chance.random() < 0.2 else []
    for part in parts:
        lines = part.lines
        if part.form is Form.HEADING:
            pieces.append(f"{'#' * part.level} {lines[0]}")
        elif part.form is Form.SCENE:
            pieces.append("---")
        elif part.form is Form.LIST:
            mark = chance.choice(("- ", "* ", "1. ", "  - [ ] "))
            pieces.append("\n".join(mark + line for line in lines))
        elif part.form is Form.QUOTE:
            pieces.append("\n".join(f"> {line}" for line in lines))
        elif part.form is Form.VERSE:
            pieces.append("  \n".join(lines))
        elif part.form is Form.TABLE:
            rows = [f"| {' | '.join(line.split(' ')[:3])} |" for line in lines]
            pieces.append("\n".join(["| a | b | c |", "|---|---|---|", *rows]))
        else:
            pieces += lines
    return "\n\n".join(pieces) + "\n"


def html(chance: random.Random, parts: Iterable[Part], language: str) -> str:
    """A page, sometimes one that a browser would have to fix."""
    closed = chance.random() < 0.7
    body = "\n".join(_elements(parts, closed=closed))
    if chance.random() < 0.2:
        body += '<p>x<sup><a href="#n1">1</a></sup><p id="n1">1. &nosuch; &#xD800; &nbsp;'
    head = f'<!DOCTYPE html><html lang="{language}"><head><title>A &amp; B</title></head>'
    return f"{head}<body>{body}</body></html>"


def _elements(parts: Iterable[Part], *, closed: bool = True) -> Iterator[str]:
    for part in parts:
        lines = list(map(escape, part.lines))
        if part.form is Form.HEADING:
            yield f"<h{part.level}>{lines[0]}</h{part.level}>"
        elif part.form is Form.SCENE:
            yield "<hr/>"
        elif part.form is Form.LIST:
            yield f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
        elif part.form is Form.TABLE:
            rows = ("".join(f"<td>{cell}</td>" for cell in line.split(" ")[:4]) for line in lines)
            yield f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
        elif part.form is Form.VERSE:
            yield f"<p>{'<br/>'.join(lines)}</p>"
        elif part.form is Form.QUOTE:
            yield f"<blockquote>{''.join(f'<p>{line}</p>' for line in lines)}</blockquote>"
        else:
            yield from (f"<p>{line}</p>" if closed else f"<p>{line}" for line in lines)


def fb2(chance: random.Random, parts: Iterable[Part], language: str) -> str:
    """With sections, and a body of notes."""
    body, depth = "", 0
    for part in parts:
        lines = list(map(escape, part.lines))
        if part.form is Form.HEADING:
            body += f"{'</section>' * depth}<section><title><p>{lines[0]}</p></title>"
            depth = 1
        elif part.form is Form.SCENE:
            body += "<empty-line/><subtitle>* * *</subtitle>"
        elif part.form is Form.VERSE:
            body += f"<poem><stanza>{''.join(f'<v>{line}</v>' for line in lines)}</stanza></poem>"
        elif part.form is Form.TABLE:
            body += f"<table>{''.join(f'<tr><td>{line}</td></tr>' for line in lines)}</table>"
        elif part.form is Form.QUOTE:
            body += f"<cite>{''.join(f'<p>{line}</p>' for line in lines)}</cite>"
        else:
            body += "".join(f"<p>{line}</p>" for line in lines)
    notes = '<body name="notes"><section id="n1"><title><p>1</p></title><p>…</p></section></body>'
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><description><title-info>'
        f"<book-title>A &amp; B</book-title><lang>{language}</lang></title-info></description>"
        f"<body>{body}{'</section>' * depth}</body>{notes if chance.random() < 0.3 else ''}"
        "</FictionBook>"
    )


def epub(chance: random.Random, parts: Iterable[Part], language: str) -> bytes:
    """A page for each chapter, and a contents list of most of them."""
    pages: list[list[Part]] = [[]]
    for part in parts:
        if part.form is Form.HEADING and pages[-1]:
            pages.append([])
        pages[-1].append(part)
    names = [f"p{number}.xhtml" for number in range(len(pages))]
    listed = [(name, page[0].lines[0]) for name, page in zip(names, pages, strict=True) if page]
    links = "".join(
        f'<li><a href="{name}">{escape(title[:200])}</a></li>'
        for name, title in listed
        if chance.random() < 0.8
    )
    items = "".join(
        f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in names
    )
    items += '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    container = '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container,
        "a.opf": f'<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>A &amp; B</dc:title><dc:language>{language}</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
        "nav.xhtml": _page(f'<nav epub:type="toc"><ol>{links}</ol></nav>'),
        **{name: _page("".join(_elements(page))) for name, page in zip(names, pages, strict=True)},
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content.encode("utf-8", "surrogatepass"))
    return made.getvalue()


def _page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>x</title></head><body>{body}</body></html>'
    )


def damaged(chance: random.Random, data: bytes) -> bytes:
    """The same with something cut, doubled, moved, flipped or put in."""
    a, b, c = sorted(chance.randrange(len(data) + 1) for _ in range(3))
    way = chance.choice(("cut", "headless", "doubled", "moved", "flipped", "junk", "hole"))
    if way == "flipped":
        changed = bytearray(data)
        for _ in range(chance.randint(1, 30)):
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(changed)
    junk = chance.randbytes(chance.randint(1, 60))
    return {
        "cut": data[:b],
        "headless": data[a:],
        "doubled": data[:b] + data[a:],
        "moved": data[:a] + data[b:c] + data[a:b] + data[c:],
        "junk": data[:b] + junk + data[b:],
        "hole": data[:a] + data[b:],
    }[way]
