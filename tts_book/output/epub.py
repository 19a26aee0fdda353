"""An EPUB 3 with media overlays: text and audio in one book that readers play along.

The text is the one that was spoken, from every source format alike; a `par` is a sentence. Audio
goes in as it is, uncompressed, so that players can seek in it.
"""

from __future__ import annotations

import re
import shutil
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from tts_book.audio.file_tags import Tags, read_tags
from tts_book.errors import UserError
from tts_book.model import Break
from tts_book.output.readalong import ReadAlong, TimedChapter
from tts_book.synthesis import atomic
from tts_book.text.language_tags import normalize_tag

PACKAGE = "EPUB/package.opf"
_MIME = {".mp3": "audio/mpeg", ".m4b": "audio/mp4", ".opus": "audio/ogg; codecs=opus"}
_PICTURES = {"image/jpeg": "jpg", "image/png": "png"}
_ACTIVE = "-epub-media-overlay-active"
# The earliest time that a zip file can hold, so that the same book gives the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMESPACE = uuid.UUID("6f0f6d0e-3a44-5f0b-9d43-5ec0b2a0c1d7")

_CONTAINER = f"""<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="{PACKAGE}" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""
_STYLE = f"""body {{ margin: 5%; line-height: 1.5; }}
h1, h2 {{ line-height: 1.25; }}
p.scene {{ margin-bottom: 2em; }}
img {{ max-width: 100%; }}
.{_ACTIVE} {{ background-color: #ffe58a; color: #000; }}
"""


@dataclass(frozen=True, slots=True)
class _EpubItem:
    """A file of the package."""

    id: str
    path: str
    mime: str
    properties: str = ""
    overlay: str = ""

    def __str__(self) -> str:
        properties = f" properties={quoteattr(self.properties)}" if self.properties else ""
        overlay = f" media-overlay={quoteattr(self.overlay)}" if self.overlay else ""
        return (
            f"<item id={quoteattr(self.id)} href={quoteattr(self.path)} "
            f"media-type={quoteattr(self.mime)}{properties}{overlay}/>"
        )


def write_epub(book: ReadAlong, path: Path) -> Path:
    """Writes the EPUB of a written book. Raises UserError where no chapter is written or the disk
    does not take it."""
    with atomic.replace_file(path) as part, zipfile.ZipFile(part, "w") as archive:
        package = _EpubPackage(book, archive)
        package.add("mimetype", "application/epub+zip", packed=False)
        package.add("META-INF/container.xml", _CONTAINER)
        for chapter in book.chapters():
            package.add_chapter(chapter)
        if not package.chapters:
            raise UserError(f"{book.path} names no written chapter: convert the book first.")
        package.add_rest()
    return path


class _EpubPackage:
    """Writes the files of one EPUB, chapter by chapter."""

    def __init__(self, book: ReadAlong, archive: zipfile.ZipFile) -> None:
        self.book, self._archive = book, archive
        self.chapters: list[tuple[str, str]] = []  # path and title
        self._items: list[_EpubItem] = []
        self._audio: dict[Path, str] = {}
        self._durations: list[tuple[str, int]] = []
        self._narrators: dict[str, None] = {}

    def add(self, path: str, text: str, *, packed: bool = True) -> None:
        """A text file."""
        info = zipfile.ZipInfo(path, _ZIP_TIME)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        self._archive.writestr(info, text.encode("utf-8"))

    def add_chapter(self, chapter: TimedChapter) -> None:
        """Text, overlay and audio of a chapter. Raises UserError where its audio is gone."""
        if not chapter.paragraphs:
            return
        name = f"c{chapter.number:04}"
        audio = self._add_audio(chapter.file)
        text, overlay = f"{name}.xhtml", f"{name}.smil"
        self.add(f"EPUB/{text}", self._page(chapter.title, _body(chapter)))
        clips = list(_clips(chapter))
        self.add(f"EPUB/{overlay}", _overlay(text, audio, clips))
        self._durations.append((f"{name}-smil", sum(stop - start for _, start, stop in clips)))
        self._narrators[chapter.voice] = None
        self._items += [
            _EpubItem(name, text, "application/xhtml+xml", overlay=f"{name}-smil"),
            _EpubItem(f"{name}-smil", overlay, "application/smil+xml"),
        ]
        self.chapters.append((text, chapter.title))

    def _add_audio(self, file: Path) -> str:
        if file in self._audio:
            return self._audio[file]
        path = f"audio/{len(self._audio) + 1:04}{file.suffix.lower()}"
        info = zipfile.ZipInfo(f"EPUB/{path}", _ZIP_TIME)
        info.compress_type = zipfile.ZIP_STORED
        try:
            with file.open("rb") as source:
                info.file_size = file.stat().st_size
                with self._archive.open(info, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        except FileNotFoundError as error:
            raise UserError(f"{file} is gone: convert the book again.") from error
        self._audio[file] = path
        mime = _MIME.get(file.suffix.lower(), "audio/mpeg")
        self._items.append(_EpubItem(f"audio{len(self._audio):04}", path, mime))
        return path

    def add_rest(self) -> None:
        """Everything that is known when all chapters are there."""
        self.add("EPUB/style.css", _STYLE)
        self._items.append(_EpubItem("style", "style.css", "text/css"))
        cover = self._add_cover()
        entries = "".join(
            f'<li><a href="{path}">{_text(title)}</a></li>' for path, title in self.chapters
        )
        title = _text(self.book.title)
        nav = f'<nav epub:type="toc" id="toc"><h1>{title}</h1><ol>{entries}</ol></nav>'
        self.add("EPUB/nav.xhtml", self._page(self.book.title, nav))
        self._items.append(_EpubItem("nav", "nav.xhtml", "application/xhtml+xml", "nav"))
        self.add(PACKAGE, self._opf(cover))

    def _add_cover(self) -> bool:
        cover = self._tags.cover
        if cover is None or cover.mime not in _PICTURES:
            return False
        name = f"cover.{_PICTURES[cover.mime]}"
        info = zipfile.ZipInfo(f"EPUB/{name}", _ZIP_TIME)
        self._archive.writestr(info, cover.data)
        picture = f'<img src="{name}" alt={quoteattr(_clean(self.book.title))}/>'
        self.add("EPUB/cover.xhtml", self._page(self.book.title, picture))
        self._items += [
            _EpubItem("cover-image", name, cover.mime, "cover-image"),
            _EpubItem("cover", "cover.xhtml", "application/xhtml+xml"),
        ]
        return True

    @cached_property
    def _tags(self) -> Tags:
        return read_tags(next(iter(self._audio)))

    def _page(self, title: str, body: str) -> str:
        language = quoteattr(normalize_tag(self.book.language))
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
            '<html xmlns="http://www.w3.org/1999/xhtml" '
            'xmlns:epub="http://www.idpf.org/2007/ops" '
            f"xml:lang={language} lang={language}>\n<head><title>{_text(title) or '…'}</title>"
            '<link rel="stylesheet" type="text/css" href="style.css"/></head>\n'
            f"<body>\n{body}\n</body>\n</html>\n"
        )

    def _opf(self, has_cover: bool) -> str:
        tags = self._tags
        identity = f"{self.book.title}\0{tags.artist}\0{self.book.language}"
        total_ms = sum(ms for _, ms in self._durations)
        changed = max(path.stat().st_mtime for path in self._audio)
        metadata = [
            '<meta name="generator" content="tts-book"/>',
            f'<dc:identifier id="id">urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}</dc:identifier>',
            f"<dc:title>{_text(self.book.title) or '…'}</dc:title>",
            f"<dc:language>{_text(normalize_tag(self.book.language))}</dc:language>",
            *([f"<dc:creator>{_text(tags.artist)}</dc:creator>"] if tags.artist.strip() else []),
            '<meta property="dcterms:modified">'
            f"{datetime.fromtimestamp(changed, UTC):%Y-%m-%dT%H:%M:%SZ}</meta>",
            f'<meta property="media:active-class">{_ACTIVE}</meta>',
            *(
                f'<meta property="media:narrator">{_text(narrator)}</meta>'
                for narrator in self._narrators
            ),
            *(
                f'<meta property="media:duration" refines="#{item}">{_seconds(ms)}s</meta>'
                for item, ms in self._durations
            ),
            f'<meta property="media:duration">{_seconds(total_ms)}s</meta>',
            '<meta property="schema:accessMode">textual</meta>',
            '<meta property="schema:accessMode">auditory</meta>',
            '<meta property="schema:accessModeSufficient">textual</meta>',
            '<meta property="schema:accessModeSufficient">auditory</meta>',
            '<meta property="schema:accessibilityFeature">synchronizedAudioText</meta>',
            '<meta property="schema:accessibilityHazard">none</meta>',
        ]
        texts = [*(["cover"] if has_cover else []), *(Path(path).stem for path, _ in self.chapters)]
        spine = "".join(f'<itemref idref="{item}"/>' for item in texts)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<package '
            'xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" '
            f"xml:lang={quoteattr(normalize_tag(self.book.language))}>\n"
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
            + "\n".join(metadata)
            + "\n</metadata>\n<manifest>\n"
            + "\n".join(map(str, self._items))
            + f"\n</manifest>\n<spine>{spine}</spine>\n</package>\n"
        )


def _body(chapter: TimedChapter) -> str:
    made, number = [], 0
    for at, paragraph in enumerate(chapter.paragraphs):
        tag = ("h1" if at == 0 else "h2") if paragraph.heading else "p"
        kind = ' class="scene"' if paragraph.after is Break.SCENE else ""
        spans = []
        for sentence in paragraph.sentences:
            spans.append(f'<span id="s{number}">{_text(sentence.text)}</span>')
            number += 1
        made.append(f'<{tag}{kind} dir="auto">{" ".join(spans)}</{tag}>')
    return '<section epub:type="chapter">\n' + "\n".join(made) + "\n</section>"


def _clips(chapter: TimedChapter) -> Iterator[tuple[int, int, int]]:
    """Sentence, start and stop of each clip; a sentence without time of its own has none."""
    sentences = (s for paragraph in chapter.paragraphs for s in paragraph.sentences)
    for number, sentence in enumerate(sentences):
        if sentence.stop_ms > sentence.start_ms:
            yield number, sentence.start_ms, sentence.stop_ms


def _overlay(text: str, audio: str, clips: list[tuple[int, int, int]]) -> str:
    pars = "\n".join(
        f'<par id="p{number}"><text src="{text}#s{number}"/><audio src="{audio}" '
        f'clipBegin="{_seconds(start_ms)}s" clipEnd="{_seconds(stop_ms)}s"/></par>'
        for number, start_ms, stop_ms in clips
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<smil xmlns="http://www.w3.org/ns/SMIL" xmlns:epub="http://www.idpf.org/2007/ops" '
        f'version="3.0">\n<body>\n<seq id="seq" epub:textref="{text}" epub:type="chapter">\n'
        f"{pars}\n</seq>\n</body>\n</smil>\n"
    )


def _seconds(ms: int) -> str:
    return f"{ms // 1_000}.{ms % 1_000:03}"


def _clean(text: str) -> str:
    """Without the characters that XML does not allow."""
    return _NOT_XML.sub("", text)


def _text(text: str) -> str:
    return escape(_clean(text))
