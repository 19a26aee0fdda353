"""Titles, authors and covers inside audio files. Alone knows mutagen.

Tags are rendered before the audio is written and stand in front of it, so that a file never has
to be written twice: ID3 2.3 with UTF-16, which even old players read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tts_book.model import ChapterMark, Cover

OWNER = "tts-book"
_MOST_CHARACTERS = 1_000
_PADDING_BYTES = 1_024  # so that another program can correct a title without moving the audio
_FRONT_COVER = 3
_REPLAYGAIN_LUFS = -18.0  # the loudness that ReplayGain 2 players aim at
_UTF_16 = 1
_LATIN_1 = 0
_CHILDREN_MOST = 255  # of a table of contents, which may have tables for children
_TAG_HEADER_BYTES = _FRAME_HEADER_BYTES = 10
_NO_OFFSET = 0xFFFFFFFF  # chapters are told by time alone
# Not for a tag: control characters (NUL parts two values), and halves of UTF-16 pairs.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u2028\u2029]+")
_YEAR = re.compile(r"[0-9]{4}")

# ID3 wants the three letters of ISO 639-2.
_THREE_LETTERS = {
    "ar": "ara", "be": "bel", "bg": "bul", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu",
    "el": "ell", "en": "eng", "es": "spa", "et": "est", "fa": "fas", "fi": "fin", "fr": "fra",
    "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye", "id": "ind", "it": "ita",
    "ja": "jpn", "ka": "kat", "kk": "kaz", "ko": "kor", "lt": "lit", "lv": "lav", "nb": "nob",
    "nl": "nld", "no": "nor", "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk",
    "sl": "slv", "sr": "srp", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "uz": "uzb",
    "vi": "vie", "zh": "zho",
}  # fmt: skip
_TWO_LETTERS = {three: two for two, three in _THREE_LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Tags:
    """What a player shows of a file. `language` is BCP 47, `track` counts from 1 (0: none), `owner`
    is the mark by which this program knows its own files again."""

    title: str
    album: str = ""
    artist: str = ""
    narrator: str = ""
    track: int = 0
    tracks: int = 0
    language: str = ""
    year: str = ""
    genre: str = "Audiobook"
    cover: Cover | None = None
    owner: str = ""
    series: str = ""
    series_part: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """How loud the audio is, and its highest peak."""

    loudness_lufs: float
    peak_dbfs: float


def render(
    tags: Tags, duration_ms: int, level: Level | None = None, chapters: Sequence[ChapterMark] = ()
) -> bytes:
    """The ID3 tag that stands in front of the audio. Text is cleaned of what no tag may hold, and
    bounded. With a `level` it says what gain a ReplayGain player should apply. Some players show
    a single chapter mark instead of the title, so one alone is not written."""
    id3 = _id3()
    made = id3.ID3()
    for name, text in _texts(tags, duration_ms).items():
        if text:
            made.add(getattr(id3, name)(encoding=_UTF_16, text=[text]))
    for name, text in _own_texts(tags, level).items():
        if text:
            made.add(id3.TXXX(encoding=_UTF_16, desc=name, text=[text]))
    if cleaned(tags.description):
        said = [cleaned(tags.description)]
        made.add(id3.COMM(encoding=_UTF_16, lang=three_letters(tags.language) or "und", text=said))
    if tags.cover:
        made.add(
            id3.APIC(
                encoding=_LATIN_1,
                mime=cleaned(tags.cover.mime),
                type=_FRONT_COVER,
                data=tags.cover.data,
            )
        )
    if len(chapters) > 1:
        _add_chapters(made, chapters)
    made.update_to_v23()
    file = io.BytesIO()
    made.save(file, v1=0, v2_version=3, padding=lambda _: _PADDING_BYTES)
    return _chapters_in_order(file.getvalue()) if len(chapters) > 1 else file.getvalue()


def _chapters_in_order(tag: bytes) -> bytes:
    """The same tag with its chapters by time: mutagen sorts frames by their length, and programs
    take chapters as they come."""
    frames = []
    at = _TAG_HEADER_BYTES
    while tag[at : at + 4].strip(b"\0"):
        after = at + _FRAME_HEADER_BYTES + int.from_bytes(tag[at + 4 : at + 8], "big")
        frames.append(tag[at:after])
        at = after
    rest = [frame for frame in frames if not frame.startswith(b"CHAP")]
    marks = sorted((f for f in frames if f.startswith(b"CHAP")), key=_start_of)
    return tag[:_TAG_HEADER_BYTES] + b"".join((*rest, *marks)) + tag[at:]


def _start_of(chapter: bytes) -> int:
    at = chapter.index(b"\0", _FRAME_HEADER_BYTES) + 1  # behind the name
    return int.from_bytes(chapter[at : at + 4], "big")


def _add_chapters(made: Any, chapters: Sequence[ChapterMark]) -> None:
    id3 = _id3()
    names = [f"ch{number}" for number in range(1, len(chapters) + 1)]
    ordered, children = id3.CTOCFlags.ORDERED, names
    if len(names) > _CHILDREN_MOST:
        groups = [names[n : n + _CHILDREN_MOST] for n in range(0, len(names), _CHILDREN_MOST)]
        children = [f"toc{number}" for number in range(1, len(groups) + 1)]
        for name, group in zip(children, groups, strict=True):
            made.add(_contents(name, ordered, group))
    made.add(_contents("toc", ordered | id3.CTOCFlags.TOP_LEVEL, children))
    for name, mark in zip(names, chapters, strict=True):
        title = id3.TIT2(encoding=_UTF_16, text=[cleaned(mark.title)])
        made.add(
            id3.CHAP(
                element_id=name,
                start_time=mark.start_ms,
                end_time=mark.stop_ms,
                start_offset=_NO_OFFSET,
                end_offset=_NO_OFFSET,
                sub_frames=[title],
            )
        )


def _contents(name: str, flags: Any, children: list[str]) -> Any:
    return _id3().CTOC(element_id=name, flags=flags, child_element_ids=children, sub_frames=[])


def owner(path: Path) -> str | None:
    """The owner that `render` wrote into this file, or None where there is none, or no tag, or no
    such file. Reads the tag only."""
    tag = _load(path, {"TXXX": _id3().TXXX})
    return _first(tag, f"TXXX:{OWNER}") or None if tag else None


def read(path: Path) -> Tags:
    """The tags of a file; all empty where it has none."""
    tag = _load(path, None)
    if tag is None:
        return Tags("", genre="")
    track, _, tracks = _first(tag, "TRCK").partition("/")
    pictures = tag.getall("APIC")
    language = _first(tag, "TLAN")
    return Tags(
        title=_first(tag, "TIT2"),
        album=_first(tag, "TALB"),
        artist=_first(tag, "TPE1"),
        narrator=_first(tag, "TCOM"),
        track=_number(track),
        tracks=_number(tracks),
        language=_TWO_LETTERS.get(language, language),
        year=_first(tag, "TDRC"),
        genre=_first(tag, "TCON"),
        cover=Cover(pictures[0].data, pictures[0].mime) if pictures else None,
        owner=_first(tag, f"TXXX:{OWNER}"),
        series=_first(tag, "TXXX:SERIES"),
        series_part=_first(tag, "TXXX:SERIES-PART"),
        description=_first(tag, "COMM"),
    )


def _id3() -> Any:
    """mutagen's ID3 module, imported when first needed; it has no types."""
    return import_module("mutagen.id3")


def _texts(tags: Tags, duration_ms: int) -> dict[str, str]:
    return {
        "TIT2": cleaned(tags.title),
        "TALB": cleaned(tags.album),
        "TPE1": cleaned(tags.artist),
        "TPE2": cleaned(tags.artist),
        "TCOM": cleaned(tags.narrator),
        "TRCK": _track(tags.track, tags.tracks),
        "TCON": cleaned(tags.genre),
        "TLAN": three_letters(tags.language),
        "TDRC": year_of(tags.year),
        "TLEN": str(duration_ms),
    }


def is_whole_book(path: Path) -> bool:
    """Whether an MP3 says that it holds a whole book: it has marks of chapters and no number."""
    tag = _load(path, None)
    return tag is not None and bool(tag.getall("CHAP")) and not tag.getall("TRCK")


def _own_texts(tags: Tags, level: Level | None) -> dict[str, str]:
    """Fields that ID3 has no name for."""
    texts = {
        OWNER: cleaned(tags.owner),
        "SERIES": cleaned(tags.series),
        "SERIES-PART": cleaned(tags.series_part),
    }
    if level:
        texts["REPLAYGAIN_TRACK_GAIN"] = f"{_REPLAYGAIN_LUFS - level.loudness_lufs:+.2f} dB"
        texts["REPLAYGAIN_TRACK_PEAK"] = f"{10 ** (level.peak_dbfs / 20):.6f}"
    return texts


def cleaned(text: str) -> str:
    """One line of at most _MOST_CHARACTERS, without characters that harm a tag."""
    text = _UNFIT.sub(" ", text[: 2 * _MOST_CHARACTERS]).strip()
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1].rstrip() + "…"


def year_of(text: str) -> str:
    """The year in a date, "" where there is none."""
    year = _YEAR.search(text)
    return year.group() if year else ""


def _track(track: int, tracks: int) -> str:
    if track < 1:
        return ""
    return f"{track}/{tracks}" if tracks else str(track)


def three_letters(language: str) -> str:
    """The code of ISO 639-2 for a language in BCP 47, "" where none is known."""
    primary = cleaned(language).partition("-")[0].lower()
    return _THREE_LETTERS.get(primary, primary if len(primary) == 3 else "")


def _load(path: Path, known_frames: dict[str, type] | None) -> Any:
    id3 = _id3()
    try:
        return id3.ID3(path, known_frames=known_frames, load_v1=False)
    except import_module(
        "mutagen"
    ).MutagenError:  # no tag, a broken one, or a file that cannot be read
        return None


def _first(tag: Any, name: str) -> str:
    frames = tag.getall(name)
    return str(frames[0].text[0]) if frames and frames[0].text else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
