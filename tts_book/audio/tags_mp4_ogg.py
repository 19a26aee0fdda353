"""Titles, covers and chapter marks inside M4B and Opus files, which are tagged when they are made.

MP4 has names of its own for what audiobook players read; what it has no name for goes into the
free-form fields that Audiobookshelf and others know. Opus has comments like Vorbis.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from tts_book.audio.containers import Probe
from tts_book.audio.tags_id3 import OWNER, Level, Tags, cleaned, owner, year_of
from tts_book.audio.tags_id3 import read as read_id3
from tts_book.errors import AudioError
from tts_book.model import ChapterMark, Cover

SUFFIXES = (".m4b", ".opus")
_FREE = "----:com.apple.iTunes:"
_AUDIOBOOK = 2
_LONGEST_TITLE_BYTES = 255  # in the list of chapters that mutagen reads
_R128_LUFS = -23.0  # the loudness that Opus players aim at


def tag_m4b(path: Path, tags: Tags) -> None:
    """Puts the tags into an MP4 file; its chapters stay. Raises AudioError and OSError."""
    mp4 = import_module("mutagen.mp4")
    file = _opened(mp4.MP4, path)
    if file.tags is None:
        file.add_tags()
    for name, text in {
        "\xa9nam": tags.title,
        "\xa9alb": tags.album,
        "\xa9ART": tags.artist,
        "aART": tags.artist,
        "\xa9wrt": tags.narrator,
        "\xa9gen": tags.genre,
        "\xa9day": year_of(tags.year),
        "desc": tags.description,
    }.items():
        if cleaned(text):
            file[name] = [cleaned(text)]
    for name, text in _own(tags).items():
        if text:
            file[_FREE + name] = [mp4.MP4FreeForm(text.encode())]
    file["stik"] = [_AUDIOBOOK]
    if tags.track:
        file["trkn"] = [(tags.track, tags.tracks)]
    if tags.cover and tags.cover.mime in ("image/jpeg", "image/png"):
        png = tags.cover.mime == "image/png"
        kind = mp4.MP4Cover.FORMAT_PNG if png else mp4.MP4Cover.FORMAT_JPEG
        file["covr"] = [mp4.MP4Cover(tags.cover.data, kind)]
    _save(file, path)


def tag_opus(path: Path, tags: Tags, chapters: Sequence[ChapterMark], level: Level | None) -> None:
    """Puts tags and chapter marks into an Opus file. Raises AudioError and OSError."""
    file = _opened(import_module("mutagen.oggopus").OggOpus, path)
    for name, text in {
        "TITLE": tags.title,
        "ALBUM": tags.album,
        "ARTIST": tags.artist,
        "ALBUMARTIST": tags.artist,
        "COMPOSER": tags.narrator,
        "GENRE": tags.genre,
        "DATE": year_of(tags.year),
        "DESCRIPTION": tags.description,
        **_own(tags),
    }.items():
        if cleaned(text):
            file[name] = cleaned(text)
    if tags.track:
        file["TRACKNUMBER"], file["TRACKTOTAL"] = str(tags.track), str(tags.tracks)
    if level:
        file["R128_TRACK_GAIN"] = str(round(256 * (_R128_LUFS - level.loudness_lufs)))
    for number, mark in enumerate(chapters):
        file[f"CHAPTER{number:03}"] = _clock(mark.start_ms)
        file[f"CHAPTER{number:03}NAME"] = cleaned(mark.title) or str(number + 1)
    if tags.cover:
        file["METADATA_BLOCK_PICTURE"] = base64.b64encode(_picture(tags.cover)).decode("ascii")
    _save(file, path)


def probe_m4b(path: Path) -> Probe | None:
    """Length and chapters of an MP4 file as its tables tell them: unlike `containers.probe` this
    needs no memory for the index of its packets. None where it lists no chapters, or could not list
    one in full. Raises AudioError."""
    file = _opened(import_module("mutagen.mp4").MP4, path)
    titles = [chapter.title for chapter in file.chapters or ()]
    if not titles or any(len(title.encode()) >= _LONGEST_TITLE_BYTES for title in titles):
        return None
    starts = [round(chapter.start * 1_000) for chapter in file.chapters]
    length_ms = round(file.info.length * 1_000)
    edges = pairwise([*starts, length_ms])
    return Probe(
        length_ms,
        tuple(ChapterMark(title, *edge) for title, edge in zip(titles, edges, strict=True)),
    )


def owner_of(path: Path) -> str | None:
    """The owner of a file of any format; None where there is none, or no such file."""
    if path.suffix.lower() not in SUFFIXES:
        return owner(path)
    file = _readable(path)
    if file is None:
        return None
    found = file.get(_FREE + OWNER) or file.get(OWNER) or [""]
    text = found[0].decode("utf-8", "replace") if isinstance(found[0], bytes) else str(found[0])
    return text or None


def read_tags(path: Path) -> Tags:
    """The tags of a file of any format; all empty where it has none."""
    return read_inside(path) if path.suffix.lower() in SUFFIXES else read_id3(path)


def read_inside(path: Path) -> Tags:
    """The tags of an M4B or Opus file; all empty where it has none."""
    file = _readable(path)
    if file is None:
        return Tags("", genre="")
    opus = path.suffix.lower() == ".opus"

    def text(mp4: str, vorbis: str) -> str:
        found = file.get(vorbis if opus else mp4) or [""]
        return found[0].decode("utf-8", "replace") if isinstance(found[0], bytes) else str(found[0])

    return Tags(
        title=text("\xa9nam", "TITLE"),
        album=text("\xa9alb", "ALBUM"),
        artist=text("\xa9ART", "ARTIST"),
        narrator=text("\xa9wrt", "COMPOSER"),
        language=text(_FREE + "LANGUAGE", "LANGUAGE"),
        year=text("\xa9day", "DATE"),
        genre=text("\xa9gen", "GENRE"),
        owner=text(_FREE + OWNER, OWNER),
        series=text(_FREE + "SERIES", "SERIES"),
        series_part=text(_FREE + "SERIES-PART", "SERIES-PART"),
        description=text("desc", "DESCRIPTION"),
        cover=_cover_inside(file),
    )


def _cover_inside(file: Any) -> Cover | None:
    for picture in file.get("covr") or ():
        png = picture.imageformat == picture.FORMAT_PNG
        return Cover(bytes(picture), "image/png" if png else "image/jpeg")
    for text in file.get("METADATA_BLOCK_PICTURE") or ():
        try:
            found = import_module("mutagen.flac").Picture(base64.b64decode(text))
        except (ValueError, import_module("mutagen").MutagenError):  # damaged
            continue
        return Cover(found.data, found.mime)
    return None


def _own(tags: Tags) -> dict[str, str]:
    return {
        OWNER: cleaned(tags.owner),
        "LANGUAGE": cleaned(tags.language),
        "SERIES": cleaned(tags.series),
        "SERIES-PART": cleaned(tags.series_part),
    }


def _picture(cover: Cover) -> bytes:
    picture = import_module("mutagen.flac").Picture()
    picture.type, picture.mime, picture.data = 3, cleaned(cover.mime), cover.data
    return bytes(picture.write())


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}.{ms % 1_000:03}"


def _kind(path: Path) -> Any:
    if path.suffix.lower() == ".opus":
        return import_module("mutagen.oggopus").OggOpus
    return import_module("mutagen.mp4").MP4


def _readable(path: Path) -> Any:
    try:
        return _kind(path)(path)
    except import_module("mutagen").MutagenError:  # not such a file, or no file at all
        return None


def _opened(kind: Any, path: Path) -> Any:
    try:
        return kind(path)
    except import_module("mutagen").MutagenError as error:
        raise _refusal(error, path) from error


def _save(file: Any, path: Path) -> None:
    try:
        file.save()
    except import_module("mutagen").MutagenError as error:
        raise _refusal(error, path) from error


def _refusal(error: Exception, path: Path) -> AudioError | OSError:
    """What mutagen wraps: a full disk is the user's to fix, the rest is a file that is none."""
    inner = error.args[0] if error.args else None
    if isinstance(inner, OSError):
        return inner
    return AudioError(f"{path.name} cannot be tagged: {error}")
