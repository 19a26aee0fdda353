"""EPUB 2 and 3: the spine in order, chapters from the book's own table of contents."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from tts_book.errors import UserError
from tts_book.model import Cover
from tts_book.readers import html, xml
from tts_book.readers.archives import Archive, DamagedFile
from tts_book.readers.book import PICTURES, ParsedBook, ReadOptions, find_cover, find_language
from tts_book.readers.tree_text import Builder, Element, Notes, attribute, name_of, text_of

_PAGES = (
    "application/xhtml+xml", "text/html", "application/xml", "text/xml", "application/x-dtbook+xml",
    "text/x-oeb1-document", "image/svg+xml", "",
)  # fmt: skip
_BEGINS = re.compile(r"<(?:\w+:)?html\b", re.I)
_ENDS = re.compile(r"</(?:\w+:)?(?:html|body)\s*>", re.I)
_EDGE = 4096  # characters at either end of a page
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_SVG = "image/svg+xml"
_PICTURES = (*PICTURES, _SVG, "image/gif", "image/webp")
_EMBEDDED = re.compile(rb"data:image/(?:jpeg|jpg|png);base64,([A-Za-z0-9+/=\s]+)")
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class _ManifestItem:
    path: str
    media: str
    properties: str
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class _SourcePackage:
    """What the package file says: its items by id, the spine's in order (by their ids)."""

    root: Element
    folder: str
    items: dict[str, _ManifestItem] = field(default_factory=dict)
    spine: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _ContentsEntry:
    """One line of the table of contents."""

    path: str
    anchor: str
    title: str
    level: int


@dataclass(slots=True)
class _SpinePages:
    """The documents of the spine, one after the other; `missing` and `notices` are lines on those
    that cannot be read, or not whole."""

    archive: Archive
    package: _SourcePackage
    titles: dict[str, str]
    missing: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def read(self) -> Iterator[tuple[str, Element]]:
        """The paths and trees of the pages."""
        seen: set[str] = set()
        for id_ in self.package.spine:
            item = self._readable(id_)
            if item is None or self.archive.same(item.path) in seen:
                continue
            seen.add(self.archive.same(item.path))
            text = self._text_of(item)
            if text:
                root = html.parse_page(text, item.path)
                if item.path in self.titles and html.is_blank_page(root):
                    self._miss(item.path, "holds nothing")
                yield item.path, root

    def check_contents(self) -> None:
        """Reports what the table of contents leads to and the archive does not hold."""
        spine = {item.path for id_ in self.package.spine if (item := self.package.items.get(id_))}
        for path, title in self.titles.items():
            if path not in spine and not self.archive.has(path):
                self.notices.append(f"{path} ({title}) is in the contents, not in the archive")

    def _readable(self, id_: str) -> _ManifestItem | None:
        """The item of the spine, or the first of its fallbacks that is a page."""
        first = item = self.package.items.get(id_)
        if item is None:
            self._miss(f'"{id_}"', "is not in the list of the book's files")
            return None
        for _ in range(_DEEPEST):
            if item is None or item.media in _PAGES:
                break
            item = self.package.items.get(item.fallback)
        if (item is None or item.media not in _PAGES) and first is not None:
            if first.media not in _PICTURES:
                self.notices.append(f"{first.path} ({first.media}) is not a page: not read")
            return None
        return item

    def _text_of(self, item: _ManifestItem) -> str:
        if not self.archive.has(item.path):
            self._miss(item.path, "is missing from the archive")
            return ""
        try:
            data = self.archive.read(item.path)
        except DamagedFile:
            self._miss(item.path, "is damaged")
            return ""
        if not data.strip(b"\0 \t\r\n\xef\xbb\xbf"):
            self._miss(item.path, "is empty")
            return ""
        text = xml.decode_xml(data, item.path)
        if _BEGINS.search(text[:_EDGE]) and not _ENDS.search(text[-_EDGE:]):
            self._miss(item.path, "breaks off: its end is missing")
        return text

    def _miss(self, path: str, what: str) -> None:
        title = self.titles.get(path)
        self.missing.append(f"{path} ({title}) {what}" if title else f"{path} {what}")


def read_epub(archive: Archive, name: str, options: ReadOptions) -> ParsedBook:
    """An EPUB in blocks. Raises UserError for DRM, and for what has no readable page."""
    _refuse_locked(archive, name)
    package = _read_package(archive, name)
    metadata = find_metadata(package.root)
    builder = Builder(name, options.code)
    entries = list(_contents(archive, package))
    titles = {entry.path: entry.title for entry in reversed(entries)}
    pages = _SpinePages(archive, package, titles)
    _walk_pages(pages, entries, builder, options)
    pages.check_contents()
    source, text, found = builder.finish()
    return ParsedBook(
        source=source,
        text=text,
        paragraphs=found,
        title=metadata.get("title", ""),
        author=metadata.get("creator", ""),
        language=find_language(metadata.get("language", "")),
        cover=_cover(archive, package),
        encoding="utf-8",
        notices=tuple(pages.notices),
        series=metadata.get("series", ""),
        series_part=metadata.get("series_part", ""),
        missing=tuple(f"{name}: {line}" for line in pages.missing),
    )


def _walk_pages(
    pages: _SpinePages, entries: Sequence[_ContentsEntry], builder: Builder, options: ReadOptions
) -> None:
    """The documents of the spine. To read notes where their marks stand, all are held at once."""
    by_page: dict[str, list[_ContentsEntry]] = {}
    for entry in entries:
        by_page.setdefault(entry.path, []).append(entry)
    deepest = max((entry.level for entry in entries), default=0)
    package = pages.package
    reasons = find_guide_reasons(package.root, lambda href: _join(package.folder, href))
    drawings = {item.path for item in package.items.values() if item.media == _SVG}
    found = pages.read()
    notes = None
    if options.notes == "inline":
        notes = Notes()
        held = list(found)
        for path, root in held:
            notes.collect(path, root)
        found = iter(held)
    for path, root in found:
        base = posixpath.basename(path)
        here = by_page.get(path, ())
        builder.close()
        builder.label(base)
        reason = reasons.get(path, "")
        how = html.PageWalk(
            builder,
            options.everything,
            prefix=f"{base}#",
            entries={entry.anchor: (entry.title, entry.level) for entry in reversed(here)},
            inner_level=deepest,
            page=path,
            keep_notes=options.notes == "end",
            notes=notes,
            reason="" if reason == "notes" and options.notes != "skip" else reason,
            is_drawing=path in drawings,
        )
        html.walk_page(root, how)


def _refuse_locked(archive: Archive, name: str) -> None:
    """Anything but obfuscated fonts in the list of encrypted files is a lock on the book."""
    data = archive.read("META-INF/encryption.xml")
    if not data:
        return
    root, _ = xml.parse_xml(data, name)
    methods = [e for e in root.iter() if name_of(e) == "encryptionmethod"]
    if any(not attribute(e, "Algorithm").startswith(_FONTS) for e in methods):
        raise UserError(f"{name} is locked (DRM): only books without a lock can be read aloud")


def _read_package(archive: Archive, name: str) -> _SourcePackage:
    path = ""
    container = archive.read("META-INF/container.xml")
    if container:
        root, _ = xml.parse_xml(container, name)
        files = (attribute(e, "full-path") for e in root.iter() if name_of(e) == "rootfile")
        path = next(files, "")
    if not path or not archive.read(path):
        path = next((p for p in archive.names() if p.lower().endswith(".opf")), "")
    if not path:
        raise UserError(f"{name} is not a whole EPUB (no package file): get it again")
    root, _ = xml.parse_xml(archive.read(path), name)
    folder = posixpath.dirname(path.replace("\\", "/"))
    items = {
        attribute(e, "id"): _ManifestItem(
            _join(folder, attribute(e, "href")),
            attribute(e, "media-type").lower(),
            attribute(e, "properties"),
            attribute(e, "fallback"),
        )
        for e in root.iter()
        if name_of(e) == "item"
    }
    ids = (attribute(e, "idref") for e in root.iter() if name_of(e) == "itemref")
    return _SourcePackage(root, folder, items, tuple(dict.fromkeys(ids)))


def _join(folder: str, href: str) -> str:
    path = unquote(href.partition("#")[0]).replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder, path)) if path else ""


def _contents(archive: Archive, package: _SourcePackage) -> Iterator[_ContentsEntry]:
    """The table of contents: an EPUB 3 navigation page, else an EPUB 2 NCX file."""
    nav = next((i for i in package.items.values() if "nav" in i.properties.split()), None)
    if nav is not None and (data := archive.read(nav.path)):
        found = list(_nav(data, nav.path))
        if found:
            yield from found
            return
    ncx = next((i for i in package.items.values() if "dtbncx" in i.media), None)
    if ncx is not None and (data := archive.read(ncx.path)):
        yield from _ncx(data, ncx.path)


def _nav(data: bytes, path: str) -> Iterator[_ContentsEntry]:
    root = html.parse_page(xml.decode_xml(data, path), path)
    navs = [e for e in root.iter() if name_of(e) == "nav"]
    chosen = next((e for e in navs if "toc" in attribute(e, "type").split()), None)
    if chosen is None and not navs:
        return
    nav = chosen if chosen is not None else navs[0]
    for link in nav.iter():
        if name_of(link) == "a" and attribute(link, "href"):
            lists = sum(name_of(up) in ("ol", "ul") for up in link.iterancestors())
            yield _entry(path, attribute(link, "href"), text_of(link), lists)


def _ncx(data: bytes, path: str) -> Iterator[_ContentsEntry]:
    root, _ = xml.parse_xml(data, path)
    for point in root.iter():
        if name_of(point) == "navpoint":
            content = next((e for e in point if name_of(e) == "content"), None)
            label = next((e for e in point if name_of(e) == "navlabel"), None)
            if content is not None:
                depth = 1 + sum(name_of(up) == "navpoint" for up in point.iterancestors())
                yield _entry(path, attribute(content, "src"), text_of(label), depth)


def _entry(path: str, href: str, title: str, level: int) -> _ContentsEntry:
    target = _join(posixpath.dirname(path), href) or path
    return _ContentsEntry(
        target, unquote(href.partition("#")[2]), title, max(1, min(level, _DEEPEST))
    )


def _cover(archive: Archive, package: _SourcePackage) -> Cover | None:
    """The picture that the package calls its cover, else one whose id says so."""
    named = {
        attribute(e, "content")
        for e in package.root.iter()
        if name_of(e) == "meta" and attribute(e, "name") == "cover"
    }
    pictures = {i: item for i, item in package.items.items() if item.media in (*PICTURES, _SVG)}
    told = [i for id_, i in pictures.items() if "cover-image" in i.properties or id_ in named]
    called = [i for id_, i in pictures.items() if "cover" in id_.lower()]
    for item in (*told, *called):
        data = archive.read(item.path)
        if found := find_cover(data) or (_inside(data) if item.media == _SVG else None):
            return found
    return None


def _inside(drawing: bytes) -> Cover | None:
    """The picture that a drawing holds: covers are often drawn around one."""
    found = _EMBEDDED.search(drawing)
    if found is None:
        return None
    try:
        return find_cover(base64.b64decode(found[1]))
    except (binascii.Error, ValueError):
        return None


# Pages that the guide of an EPUB 2 names and that are not read aloud.
_GUIDE = {
    "toc": "contents list",
    "loi": "contents list",
    "lot": "contents list",
    "index": "index",
    "copyright-page": "copyright",
    "colophon": "copyright",
    "title-page": "title page",
    "cover": "cover",
    "notes": "notes",
}


def find_metadata(root: Element) -> dict[str, str]:
    """`title`, `creator`, `language`, `series` and `series_part`, as far as they are told."""
    found: dict[str, list[str]] = {}
    for element in root.iter():
        if name_of(element) in ("title", "creator", "language") and text_of(element):
            found.setdefault(name_of(element), []).append(text_of(element))
    made = {key: values[0] for key, values in found.items()}
    if "creator" in found:
        made["creator"] = ", ".join(dict.fromkeys(found["creator"][:3]))
    return made | _series([e for e in root.iter() if name_of(e) == "meta"])


def _series(metas: list[Element]) -> dict[str, str]:
    """As EPUB 3 or Calibre writes it."""
    refined = {(attribute(m, "refines"), attribute(m, "property")): m for m in reversed(metas)}
    for meta in metas:
        if attribute(meta, "property") == "belongs-to-collection" and text_of(meta):
            id_ = f"#{attribute(meta, 'id')}"
            if text_of(refined.get((id_, "collection-type"))) != "set":
                part = text_of(refined.get((id_, "group-position")))
                return {"series": text_of(meta), "series_part": part}
    told = {attribute(m, "name"): attribute(m, "content") for m in metas}
    if name := told.get("calibre:series"):
        part = told.get("calibre:series_index", "").removesuffix(".0")
        return {"series": name, "series_part": part}
    return {}


def find_guide_reasons(root: Element, path_of: Callable[[str], str]) -> dict[str, str]:
    """Why pages are left out, by path."""
    found: dict[str, str] = {}
    for element in root.iter():
        if name_of(element) == "reference":
            reason = _GUIDE.get(attribute(element, "type").lower().removeprefix("other."))
            href = attribute(element, "href")
            if reason and href and "#" not in href:
                found.setdefault(path_of(href), reason)
    return found
