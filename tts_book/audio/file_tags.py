"""Titles, authors, covers and chapter marks inside audio files. Alone knows mutagen.

ID3 tags are rendered before the audio is written and stand in front of it, so that an MP3 never has
to be written twice: version 2.3 with UTF-16, which even old players read. M4B and Opus are tagged
when they are made. MP4 has names of its own for what audiobook players read; what it has no name
for goes into the free-form fields that Audiobookshelf and others know. Opus has comments like
Vorbis.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from tts_book.audio.containers import Probe
from tts_book.errors import AudioError
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


def render_id3(
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
    if clean_tag(tags.description):
        said = [clean_tag(tags.description)]
        made.add(id3.COMM(encoding=_UTF_16, lang=three_letters(tags.language) or "und", text=said))
    if tags.cover:
        made.add(
            id3.APIC(
                encoding=_LATIN_1,
                mime=clean_tag(tags.cover.mime),
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
        title = id3.TIT2(encoding=_UTF_16, text=[clean_tag(mark.title)])
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


def _read_owner(path: Path) -> str | None:
    """The owner that an MP3 file names, None where there is none, or no tag, or no such file.
    Reads the tag only."""
    tag = _load(path, {"TXXX": _id3().TXXX})
    return _first(tag, f"TXXX:{OWNER}") or None if tag else None


def _read_id3(path: Path) -> Tags:
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
        "TIT2": clean_tag(tags.title),
        "TALB": clean_tag(tags.album),
        "TPE1": clean_tag(tags.artist),
        "TPE2": clean_tag(tags.artist),
        "TCOM": clean_tag(tags.narrator),
        "TRCK": _track(tags.track, tags.tracks),
        "TCON": clean_tag(tags.genre),
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
        OWNER: clean_tag(tags.owner),
        "SERIES": clean_tag(tags.series),
        "SERIES-PART": clean_tag(tags.series_part),
    }
    if level:
        texts["REPLAYGAIN_TRACK_GAIN"] = f"{_REPLAYGAIN_LUFS - level.loudness_lufs:+.2f} dB"
        texts["REPLAYGAIN_TRACK_PEAK"] = f"{10 ** (level.peak_dbfs / 20):.6f}"
    return texts


def clean_tag(text: str) -> str:
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
    primary = clean_tag(language).partition("-")[0].lower()
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


# M4B and Opus -------------------------------------------------------------------------------------

_INSIDE = (".m4b", ".opus")
_FREE = "----:com.apple.iTunes:"
_AUDIOBOOK = 2
_LONGEST_TITLE_BYTES = 255  # in the list of chapters that mutagen reads
_R128_LUFS = -23.0  # the loudness that Opus players aim at


def tag_m4b(path: Path, tags: Tags) -> None:
    """Puts the tags into an MP4 file; its chapters stay. Raises AudioError and OSError."""
    mp4 = import_module("mutagen.mp4")
    file = _open_file(mp4.MP4, path)
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
        if clean_tag(text):
            file[name] = [clean_tag(text)]
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
    file = _open_file(import_module("mutagen.oggopus").OggOpus, path)
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
        if clean_tag(text):
            file[name] = clean_tag(text)
    if tags.track:
        file["TRACKNUMBER"], file["TRACKTOTAL"] = str(tags.track), str(tags.tracks)
    if level:
        file["R128_TRACK_GAIN"] = str(round(256 * (_R128_LUFS - level.loudness_lufs)))
    for number, mark in enumerate(chapters):
        file[f"CHAPTER{number:03}"] = _clock(mark.start_ms)
        file[f"CHAPTER{number:03}NAME"] = clean_tag(mark.title) or str(number + 1)
    if tags.cover:
        file["METADATA_BLOCK_PICTURE"] = base64.b64encode(_picture(tags.cover)).decode("ascii")
    _save(file, path)


def probe_m4b(path: Path) -> Probe | None:
    """Length and chapters of an MP4 file as its tables tell them: unlike `containers.probe` this
    needs no memory for the index of its packets. None where it lists no chapters, or could not list
    one in full. Raises AudioError."""
    file = _open_file(import_module("mutagen.mp4").MP4, path)
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
    if path.suffix.lower() not in _INSIDE:
        return _read_owner(path)
    file = _try_open(path)
    if file is None:
        return None
    found = file.get(_FREE + OWNER) or file.get(OWNER) or [""]
    text = found[0].decode("utf-8", "replace") if isinstance(found[0], bytes) else str(found[0])
    return text or None


def read_tags(path: Path) -> Tags:
    """The tags of a file of any format; all empty where it has none."""
    return _read_inside(path) if path.suffix.lower() in _INSIDE else _read_id3(path)


def _read_inside(path: Path) -> Tags:
    """The tags of an M4B or Opus file; all empty where it has none."""
    file = _try_open(path)
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
        OWNER: clean_tag(tags.owner),
        "LANGUAGE": clean_tag(tags.language),
        "SERIES": clean_tag(tags.series),
        "SERIES-PART": clean_tag(tags.series_part),
    }


def _picture(cover: Cover) -> bytes:
    picture = import_module("mutagen.flac").Picture()
    picture.type, picture.mime, picture.data = 3, clean_tag(cover.mime), cover.data
    return bytes(picture.write())


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}.{ms % 1_000:03}"


def _kind(path: Path) -> Any:
    if path.suffix.lower() == ".opus":
        return import_module("mutagen.oggopus").OggOpus
    return import_module("mutagen.mp4").MP4


def _try_open(path: Path) -> Any:
    try:
        return _kind(path)(path)
    except import_module("mutagen").MutagenError:  # not such a file, or no file at all
        return None


def _open_file(kind: Any, path: Path) -> Any:
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
