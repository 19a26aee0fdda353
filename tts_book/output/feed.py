"""A podcast feed of written books, an item for each chapter: RSS 2.0 with the iTunes and
Podcasting 2.0 tags, beside the audio that a web server offers.

A later run keeps the ids and dates of items that it finds in the feed, so that listeners are
shown only what is new.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as xml

from tts_book.audio.file_tags import Tags, read_tags
from tts_book.errors import UserError
from tts_book.model import Cover
from tts_book.output.captions import Cue, vtt
from tts_book.output.manifest import book_folder
from tts_book.output.paths import relative_path
from tts_book.output.readalong import ReadAlong, TimedChapter, TimedSentence
from tts_book.synthesis import atomic
from tts_book.text.language_tags import normalize_tag

NAME = "feed.xml"
_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_PODCAST = "https://podcastindex.org/namespace/1.0"
_ATOM = "http://www.w3.org/2005/Atom"
_MIME = {".mp3": "audio/mpeg", ".m4b": "audio/mp4", ".opus": "audio/ogg"}
_PICTURES = {"image/jpeg": "cover.jpg", "image/png": "cover.png"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMESPACE = uuid.UUID("0b6a5a2c-5a5c-5b0e-8f60-2a7f3c1f8f0d")


@dataclass(frozen=True, slots=True)
class _Episode:
    """An item of the feed; paths lead from the feed's folder."""

    id: str
    title: str
    audio: str
    mime: str
    size_bytes: int
    duration_ms: int
    season: int
    season_name: str
    number: int
    summary: str
    transcript: str
    chapters: str
    image: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What an earlier feed says of an item."""

    id: str
    date: datetime


def write_feed(
    books: Sequence[ReadAlong], folder: Path, url: str, *, now: datetime, title: str = ""
) -> Path:
    """Writes `feed.xml`, transcripts, chapter marks and covers of these books, which lie in
    `folder`, for a server that offers it under `url`. Raises UserError where a chapter has no file
    of its own or the disk does not take something."""
    path = folder / NAME
    known = _read_known(path)
    first = next((_tags_of(book) for book in books), Tags(""))
    image = _write_cover(folder, first.cover)
    episodes = [
        episode
        for season, book in enumerate(books, 1)
        for episode in _episodes(book, folder, season if len(books) > 1 else 0)
    ]
    if not episodes:
        raise UserError(f"{folder} holds no written chapter: convert a book first.")
    name = title or (books[0].title if len(books) == 1 else folder.resolve().name)
    root = _channel(name, books[0].language, first, url, image)
    channel = root.find("channel")
    assert channel is not None
    ids = {episode.id for episode in episodes}
    for at, episode in enumerate(episodes):
        # An earlier item is known by its id, or by its file where its title was changed.
        same_file = known.get(url + quote(episode.audio))
        was = known.get(episode.id) or (
            same_file if same_file and same_file.id not in ids else None
        )
        date = was.date if was else now + timedelta(seconds=at)
        channel.append(_item(episode, was.id if was else episode.id, date, url))
    xml.indent(root)
    with atomic.replace_file(path) as part:
        xml.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
    return path


def check_url(text: str) -> str:
    """The address of the feed's folder, ending with a slash. Raises UserError."""
    url = text.strip()
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise UserError(
            f'--url "{text}" is not an address: give that of the folder on your server, such as '
            "https://example.org/books/."
        )
    return url if url.endswith("/") else f"{url}/"


def _episodes(book: ReadAlong, folder: Path, season: int) -> Iterator[_Episode]:
    tags, seen = _tags_of(book), Counter[str]()
    image = _write_cover(book_folder(book.path), tags.cover)
    for chapter in book.chapters():
        if chapter.start_ms or not chapter.file.is_file():
            raise UserError(
                f"{book.title} has no file for each chapter: convert it with --format mp3 as well."
            )
        seen[chapter.title] += 1
        identity = f"{book.path.name}\0{book.title}\0{chapter.title}\0{seen[chapter.title]}"
        audio = relative_path(chapter.file, folder)
        transcript = _write_transcript(chapter)
        marks = _write_marks(chapter)
        yield _Episode(
            f"urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}",
            chapter.title,
            audio,
            _MIME.get(chapter.file.suffix.lower(), "audio/mpeg"),
            chapter.file.stat().st_size,
            chapter.duration_ms,
            season,
            book.title,
            chapter.number,
            _summary(chapter),
            relative_path(transcript, folder),
            relative_path(marks, folder) if marks else "",
            relative_path(image, folder) if image else "",
        )


def _tags_of(book: ReadAlong) -> Tags:
    chapter = next(iter(book.chapters()), None)
    return read_tags(chapter.file) if chapter else Tags("")


def _summary(chapter: TimedChapter) -> str:
    """The beginning of the text."""
    sentences = [s.text for p in chapter.paragraphs if not p.heading for s in p.sentences]
    return " ".join(" ".join(sentences[:3]).split())[:400]


# Files beside the audio ---------------------------------------------------------------------------


def _write_transcript(chapter: TimedChapter) -> Path:
    """The captions that are there, else a file of our own: podcast players show it."""
    there = chapter.file.with_suffix(".vtt")
    if there.exists():
        return there
    path = chapter.file.with_suffix(".transcript.vtt")
    cues = (
        Cue(sentence.start_ms, sentence.stop_ms, " ".join(sentence.text.split()))
        for paragraph in chapter.paragraphs
        for sentence in paragraph.sentences
    )
    _write_text(path, "".join(vtt(cues, chapter.title)))
    return path


def _write_marks(chapter: TimedChapter) -> Path | None:
    """The headings inside a chapter as JSON chapters; None where there is but its own."""
    marks = [
        {"startTime": p.sentences[0].start_ms / 1_000, "title": _heading(p.sentences)}
        for p in chapter.paragraphs
        if p.heading
    ]
    if len(marks) < 2:
        return None
    path = chapter.file.with_suffix(".chapters.json")
    _write_text(
        path, json.dumps({"version": "1.2.0", "chapters": marks}, ensure_ascii=False, indent=1)
    )
    return path


def _heading(sentences: Iterable[TimedSentence]) -> str:
    return " ".join(" ".join(sentence.text for sentence in sentences).split())


def _write_cover(folder: Path, cover: Cover | None) -> Path | None:
    if cover is None or cover.mime not in _PICTURES:
        return None
    path = folder / _PICTURES[cover.mime]
    if not path.exists():
        with atomic.replace_file(path) as part:
            part.write_bytes(cover.data)
    return path


def _write_text(path: Path, text: str) -> None:
    with atomic.replace_file(path) as part:
        part.write_text(text, "utf-8", newline="\n")


# XML ----------------------------------------------------------------------------------------------


def _channel(name: str, language: str, tags: Tags, url: str, image: Path | None) -> xml.Element:
    for prefix, namespace in (("itunes", _ITUNES), ("podcast", _PODCAST), ("atom", _ATOM)):
        xml.register_namespace(prefix, namespace)
    root = xml.Element("rss", {"version": "2.0"})
    channel = xml.SubElement(root, "channel")
    _add(channel, "title", name)
    _add(channel, "link", url)
    _add(channel, "description", tags.description or name)
    _add(channel, "language", normalize_tag(language).lower())
    _add(channel, "generator", "tts-book")
    link = {"href": f"{url}{NAME}", "rel": "self", "type": "application/rss+xml"}
    xml.SubElement(channel, f"{{{_ATOM}}}link", link)
    _add(channel, f"{{{_ITUNES}}}type", "serial")
    _add(channel, f"{{{_ITUNES}}}explicit", "false")
    if tags.artist:
        _add(channel, f"{{{_ITUNES}}}author", tags.artist)
    arts = xml.SubElement(channel, f"{{{_ITUNES}}}category", {"text": "Arts"})
    xml.SubElement(arts, f"{{{_ITUNES}}}category", {"text": "Books"})
    _add(channel, f"{{{_PODCAST}}}medium", "audiobook")
    _add(channel, f"{{{_PODCAST}}}guid", str(uuid.uuid5(_NAMESPACE, f"{url}{NAME}")))
    if image:
        xml.SubElement(channel, f"{{{_ITUNES}}}image", {"href": url + quote(image.name)})
        picture = xml.SubElement(channel, "image")
        for tag, text in (("url", url + quote(image.name)), ("title", name), ("link", url)):
            _add(picture, tag, text)
    return root


def _item(episode: _Episode, id_: str, date: datetime, url: str) -> xml.Element:
    item = xml.Element("item")
    shelf = f"{episode.season_name}: " if episode.season else ""
    _add(item, "title", f"{shelf}{episode.title}")
    xml.SubElement(item, "guid", {"isPermaLink": "false"}).text = id_
    _add(item, "pubDate", format_datetime(date))
    _add(item, "description", episode.summary or episode.title)
    enclosure = {
        "url": url + quote(episode.audio),
        "length": str(episode.size_bytes),
        "type": episode.mime,
    }
    xml.SubElement(item, "enclosure", enclosure)
    _add(item, f"{{{_ITUNES}}}title", episode.title)
    _add(item, f"{{{_ITUNES}}}duration", str(round(episode.duration_ms / 1_000)))
    _add(item, f"{{{_ITUNES}}}episode", str(episode.number))
    _add(item, f"{{{_ITUNES}}}explicit", "false")
    if episode.season:
        _add(item, f"{{{_ITUNES}}}season", str(episode.season))
        name = {"name": _clean(episode.season_name)[:128]}
        xml.SubElement(item, f"{{{_PODCAST}}}season", name).text = str(episode.season)
    if episode.image:
        xml.SubElement(item, f"{{{_ITUNES}}}image", {"href": url + quote(episode.image)})
    transcript = {"url": url + quote(episode.transcript), "type": "text/vtt"}
    xml.SubElement(item, f"{{{_PODCAST}}}transcript", transcript)
    if episode.chapters:
        marks = {"url": url + quote(episode.chapters), "type": "application/json+chapters"}
        xml.SubElement(item, f"{{{_PODCAST}}}chapters", marks)
    return item


def _add(parent: xml.Element, tag: str, text: str) -> None:
    xml.SubElement(parent, tag).text = _clean(text)


def _clean(text: str) -> str:
    """Without the characters that XML does not allow."""
    return _NOT_XML.sub("", text)


def _read_known(path: Path) -> dict[str, _Known]:
    """The items of an earlier feed by their ids and addresses; none where it cannot be read."""
    try:
        root = xml.parse(path).getroot()
    except (OSError, xml.ParseError):
        return {}
    found: dict[str, _Known] = {}
    for item in root.iterfind("channel/item"):
        id_, date = item.findtext("guid"), item.findtext("pubDate")
        enclosure = item.find("enclosure")
        if not id_ or not date or enclosure is None:
            continue
        try:
            known = _Known(id_, parsedate_to_datetime(date).astimezone(UTC))
        except ValueError:
            continue
        found[id_] = known
        found.setdefault(enclosure.get("url", ""), known)
    return found
