"""M4B files: MP4 with one track of AAC and with chapter marks, written and read packet by packet.

FFmpeg holds some 80 bytes for each packet of an MP4, written or read: 70 MB for ten hours. Here it
is four. What is written has the boxes of FFmpeg's files, in their order and with the index in
front. Files of other programs that hold anything else are left to FFmpeg.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import BinaryIO

from tts_book.errors import AudioError
from tts_book.model import ChapterMark

_MOVIE_HZ = 1_000  # ticks of the times that belong to no track
_CHUNK = 1_000  # packets that the index tells the place of at once
_NERO_MOST, _NERO_TITLE_BYTES = 255, 255  # what the older of the two lists of chapters can hold
_NERO_HZ = 10_000_000
_MOST_32 = (1 << 32) - 1
_INDEX_MOST_BYTES = 1 << 28
_BLOCK_BYTES = 1 << 20
_AUDIO_ID, _TEXT_ID = 1, 2
_MATRIX = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_ENCODING = struct.pack(">I4sI", 12, b"encd", 0x100)  # behind a title: it is UTF-8


@dataclass(frozen=True, slots=True)
class AacTrack:
    """A track of AAC: `config` is what a decoder must know first, `delay` the samples before the
    first one that is heard, `packet` the samples of each packet."""

    config: bytes
    rate_hz: int
    packet: int
    delay: int


_Box = list[bytes | memoryview]  # its parts, which are never joined: an index is long
_Part = bytes | memoryview | _Box


# Writing ------------------------------------------------------------------------------------------


def write_m4b(
    target: Path,
    track: AacTrack,
    packets: Iterable[bytes],
    count: int,
    chapters: Sequence[ChapterMark] = (),
    language: str = "",
    most_bytes: int = 0,
) -> None:
    """Writes `count` packets, of no more than `most_bytes` together, with their chapter marks;
    `language` has three letters. Raises AudioError where there are fewer, and OSError."""
    titles = [_title_sample(mark.title) for mark in chapters]
    is_large = most_bytes + sum(map(len, titles)) + 8 * count > _MOST_32
    sizes = array("I", bytes(4 * count))
    front = _box(b"ftyp", b"M4B ", struct.pack(">I", 0x200), b"M4B isomiso2")
    writer = _IndexWriter(track, chapters, titles, language, is_large=is_large)
    media_at = _count_bytes([*front, *writer.render(sizes, 0)]) + (16 if is_large else 8)
    with target.open("wb", buffering=_BLOCK_BYTES) as file:
        file.seek(media_at)
        file.writelines(titles)
        written = 0
        for number, packet in enumerate(packets):
            sizes[number] = len(packet)
            written = number + 1
            file.write(packet)
        if written != count:
            raise AudioError(f"{target.name} has {written} packets instead of {count}.")
        media_bytes = file.tell() - media_at
        file.seek(0)
        file.writelines([*front, *writer.render(sizes, media_at)])
        if is_large:
            file.write(struct.pack(">I4sQ", 1, b"mdat", media_bytes + 16))
        else:
            file.write(struct.pack(">I4s", media_bytes + 8, b"mdat"))


class _IndexWriter:
    """Renders the box that tells where everything is: as long for any sizes of as many packets."""

    def __init__(
        self,
        track: AacTrack,
        chapters: Sequence[ChapterMark],
        titles: Sequence[bytes],
        language: str,
        *,
        is_large: bool,
    ) -> None:
        self._track, self._chapters, self._titles = track, chapters, titles
        self._language, self._is_large = _language_code(language), is_large

    def render(self, sizes: array[int], media_at: int) -> _Box:
        """The index of packets of these sizes, where the titles and then the packets begin at byte
        `media_at`."""
        track, count = self._track, len(sizes)
        heard_ms = (count * track.packet - track.delay) * _MOVIE_HZ // track.rate_hz
        marked_ms = self._chapters[-1].stop_ms if self._chapters else 0
        tracks = [self._audio_track(sizes, media_at + sum(map(len, self._titles)), heard_ms)]
        if self._chapters:
            tracks.append(self._title_track(media_at, marked_ms))
        return _box(
            b"moov",
            _movie_header(max(heard_ms, marked_ms), len(tracks) + 1),
            *tracks,
            self._old_chapters(),
        )

    def _audio_track(self, sizes: array[int], at: int, heard_ms: int) -> _Box:
        track, count = self._track, len(sizes)
        refers = _box(b"tref", _box(b"chap", struct.pack(">I", _TEXT_ID))) if self._chapters else []
        bits_per_s = sum(sizes) * 8 * track.rate_hz // max(1, count * track.packet)
        table = _box(
            b"stbl",
            _full(b"stsd", struct.pack(">I", 1), _aac_entry(track, bits_per_s)),
            _full(b"stts", struct.pack(">III", 1, count, track.packet)),
            _chunk_runs(count),
            _full(b"stsz", struct.pack(">II", 0, count), _big_endian(sizes)),
            self._offsets(_chunk_starts(sizes, at)),
            # A packet of AAC needs the one before it: what a player must decode after a jump.
            _full(b"sgpd", b"roll", struct.pack(">IIh", 2, 1, -1), version=1),
            _full(b"sbgp", b"roll", struct.pack(">III", 1, count, 1)),
        )
        return _box(
            b"trak",
            _track_header(_AUDIO_ID, heard_ms, is_sound=True),
            _box(b"edts", _edit(heard_ms, track.delay)),
            refers,
            _box(
                b"mdia",
                _media_header(track.rate_hz, count * track.packet, self._language),
                _handler(b"soun", b"SoundHandler"),
                _box(b"minf", _full(b"smhd", bytes(4)), _DATA_HERE, table),
            ),
        )

    def _title_track(self, at: int, marked_ms: int) -> _Box:
        lengths_ms = [mark.stop_ms - mark.start_ms for mark in self._chapters]
        count = len(self._titles)
        table = _box(
            b"stbl",
            _full(b"stsd", struct.pack(">I", 1), _TEXT_ENTRY),
            _full(
                b"stts",
                struct.pack(">I", count),
                *(struct.pack(">II", 1, length_ms) for length_ms in lengths_ms),
            ),
            _full(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
            _full(b"stsz", struct.pack(f">II{count}I", 0, count, *map(len, self._titles))),
            self._offsets([at]),
        )
        return _box(
            b"trak",
            _track_header(_TEXT_ID, marked_ms, is_sound=False),
            _box(b"edts", _edit(marked_ms, 0)),
            _box(
                b"mdia",
                _media_header(_MOVIE_HZ, marked_ms, self._language),
                _handler(b"text", b"SubtitleHandler"),
                _box(b"minf", _TEXT_HEADER, _DATA_HERE, table),
            ),
        )

    def _offsets(self, starts: Sequence[int]) -> _Box:
        kind, code = (b"co64", "Q") if self._is_large else (b"stco", "I")
        return _full(kind, struct.pack(f">I{len(starts)}{code}", len(starts), *starts))

    def _old_chapters(self) -> _Box:
        """The list of chapters that some players read instead; none where it cannot hold all."""
        if not 0 < len(self._chapters) <= _NERO_MOST:
            return []
        entries = []
        for mark in self._chapters:
            title = _cut_title(mark.title, _NERO_TITLE_BYTES)
            start = mark.start_ms * _NERO_HZ // 1_000
            entries.append(struct.pack(">QB", start, len(title)) + title)
        return _box(
            b"udta", _full(b"chpl", struct.pack(">IB", 0, len(entries)), *entries, version=1)
        )


def _box(kind: bytes, *parts: _Part) -> _Box:
    flat: _Box = []
    for part in parts:
        if isinstance(part, list):
            flat += part
        else:
            flat.append(part)
    return [struct.pack(">I4s", 8 + _count_bytes(flat), kind), *flat]


def _full(kind: bytes, *parts: _Part, version: int = 0, flags: int = 0) -> _Box:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _count_bytes(box: _Box) -> int:
    return sum(map(len, box))


_DATA_HERE = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
_TEXT_HEADER = _box(
    b"gmhd",
    _full(b"gmin", struct.pack(">4HhH", 0x40, 0x8000, 0x8000, 0x8000, 0, 0)),
    _box(b"text", struct.pack(">H14xH14xI", 1, 1, 1 << 30)),
)
_FONT = _box(b"ftab", struct.pack(">HHB", 1, 1, 0))
_TEXT_ENTRY = _box(b"text", struct.pack(">6xHI18xH6x", 1, 1, 1), _FONT)


def _title_sample(title: str) -> bytes:
    encoded = _cut_title(title, 0xFFFF)
    return struct.pack(">H", len(encoded)) + encoded + _ENCODING


def _cut_title(title: str, most_bytes: int) -> bytes:
    return title.encode()[:most_bytes].decode("utf-8", "ignore").encode()


def _language_code(language: str) -> int:
    """Three letters of five bits."""
    letters = language if len(language) == 3 and language.isascii() else "und"
    first, second, third = (ord(letter) - 0x60 & 31 for letter in letters)
    return first << 10 | second << 5 | third


def _movie_header(length_ms: int, next_id: int) -> _Box:
    version, times = _times(_MOVIE_HZ, length_ms)
    rest = struct.pack(">IH10x", 1 << 16, 0x100) + _MATRIX + bytes(24) + struct.pack(">I", next_id)
    return _full(b"mvhd", times, rest, version=version)


def _track_header(number: int, length_ms: int, *, is_sound: bool) -> _Box:
    version = int(length_ms > _MOST_32)
    times = struct.pack(">QQIIQ" if version else ">IIIII", 0, 0, number, 0, length_ms)
    rest = struct.pack(">8xHHH2x", 0, is_sound, 0x100 * is_sound) + _MATRIX + bytes(8)
    # Enabled and part of the presentation; titles are shown by way of the other track only.
    return _full(b"tkhd", times, rest, version=version, flags=3 if is_sound else 2)


def _media_header(rate_hz: int, length: int, language: int) -> _Box:
    version, times = _times(rate_hz, length)
    return _full(b"mdhd", times, struct.pack(">HH", language, 0), version=version)


def _times(rate_hz: int, length: int) -> tuple[int, bytes]:
    """When it was made (nobody needs to know), its clock, how long it is; and their version."""
    version = int(length > _MOST_32)
    return version, struct.pack(">QQIQ" if version else ">IIII", 0, 0, rate_hz, length)


def _edit(length_ms: int, delay: int) -> _Box:
    """What is heard of a track: `length_ms` behind its first `delay` samples."""
    version = int(length_ms > _MOST_32)
    entry = struct.pack(">Qq" if version else ">Ii", length_ms, delay)
    return _full(b"elst", struct.pack(">I", 1), entry, struct.pack(">I", 1 << 16), version=version)


def _handler(kind: bytes, name: bytes) -> _Box:
    return _full(b"hdlr", bytes(4), kind, bytes(12), name, b"\0")


def _aac_entry(track: AacTrack, bits_per_s: int) -> _Box:
    config = _descriptor(5, track.config)
    decoder = struct.pack(">BBxHII", 0x40, 0x15, 0, bits_per_s, bits_per_s)
    stream = struct.pack(">HB", 1, 0) + _descriptor(4, decoder, config) + _descriptor(6, b"\x02")
    return _box(
        b"mp4a",
        struct.pack(">6xH8xHH4xI", 1, 1, 16, track.rate_hz << 16),
        _full(b"esds", _descriptor(3, stream)),
    )


def _descriptor(kind: int, *parts: bytes) -> bytes:
    inner = b"".join(parts)
    size = len(inner)
    lengths = (size >> 21 & 127 | 128, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127)
    return bytes((kind, *lengths)) + inner


def _chunk_runs(count: int) -> _Box:
    whole, rest = divmod(count, _CHUNK)
    runs = [struct.pack(">III", 1, _CHUNK, 1)] if whole else []
    runs += [struct.pack(">III", whole + 1, rest, 1)] if rest else []
    return _full(b"stsc", struct.pack(">I", len(runs)), *runs)


def _chunk_starts(sizes: array[int], at: int) -> list[int]:
    chunks = (sum(sizes[n : n + _CHUNK]) for n in range(0, len(sizes), _CHUNK))
    return list(accumulate(chunks, initial=at))[:-1]


def _big_endian(numbers: array[int]) -> memoryview:
    turned = numbers[:]
    if sys.byteorder == "little":
        turned.byteswap()
    return memoryview(turned).cast("B")


# Reading ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class M4bIndex:
    """What the index of a file tells: its track, the size of each packet, the runs of packets that
    follow one another (byte, packets), and its chapter marks."""

    track: AacTrack
    sizes: array[int]
    runs: tuple[tuple[int, int], ...]
    chapters: tuple[ChapterMark, ...]
    duration_ms: int


def read_m4b_index(path: Path) -> M4bIndex | None:
    """The index of a file; None where it is no M4B with one plain AAC track. Raises AudioError
    where it cannot be read."""
    try:
        with path.open("rb") as file:
            movie = _find_movie(file)
            return _read_movie(movie, file) if movie else None
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error
    except (struct.error, LookupError, ValueError, OverflowError):
        return None  # what FFmpeg may still make sense of


def read_m4b_packets(path: Path, index: M4bIndex, at_once: int) -> Iterator[list[bytes]]:
    """The packets of a file, so many at a time, as far as they are there: of a file that was cut
    fewer than its index lists. Raises AudioError where it cannot be read."""
    packets = _read_each(path, index)
    while some := list(islice(packets, at_once)):
        yield some


def _read_each(path: Path, index: M4bIndex) -> Iterator[bytes]:
    number = 0
    try:
        with path.open("rb", buffering=_BLOCK_BYTES) as file:
            for at, count in index.runs:
                file.seek(at)
                for size in index.sizes[number : number + count]:
                    packet = file.read(size)
                    if len(packet) < size:
                        return
                    yield packet
                    number += 1
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


_Boxes = dict[bytes, list[memoryview]]


def _find_movie(file: BinaryIO) -> memoryview | None:
    end = file.seek(0, 2)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,), head = struct.unpack(">Q", file.read(8)), 16
        if size < head:
            return None
        if kind == b"moov":
            return memoryview(file.read(size - head)) if size < _INDEX_MOST_BYTES else None
        at += size
    return None


def _boxes(data: memoryview) -> _Boxes:
    """The boxes in a box, by kind."""
    found: _Boxes = {}
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            raise ValueError(kind)
        found.setdefault(kind, []).append(data[at + 8 : at + size])
        at += size
    return found


def _inner(boxes: _Boxes, *way: bytes) -> memoryview:
    """The first box that is reached by these kinds. Raises KeyError."""
    for kind in way[:-1]:
        boxes = _boxes(boxes[kind][0])
    return boxes[way[-1]][0]


def _read_movie(movie: memoryview, file: BinaryIO) -> M4bIndex | None:
    boxes = _boxes(movie)
    tracks = [_boxes(track) for track in boxes[b"trak"]]
    sounds = [t for t in tracks if bytes(_inner(t, b"mdia", b"hdlr")[8:12]) == b"soun"]
    if len(sounds) != 1 or b"mvex" in boxes:
        return None
    sound = sounds[0]
    table = _boxes(_inner(sound, b"mdia", b"minf", b"stbl"))
    track = _read_track(sound, table)
    sizes = _read_sizes(table[b"stsz"][0], file.seek(0, 2))
    heard = len(sizes) * track.packet - track.delay
    shown_ms = _read_edit(sound)[0] * 1_000 / _clock_hz(boxes[b"mvhd"][0])
    if abs(shown_ms - heard * 1_000 / track.rate_hz) > track.packet * 1_000 / track.rate_hz:
        return None  # cut by its edit list
    runs = _read_runs(table, len(sizes))
    chapters = _read_titles(sound, tracks, file) or _read_old_chapters(boxes)
    return M4bIndex(track, sizes, runs, chapters, round(shown_ms))


def _clock_hz(header: memoryview) -> int:
    """The ticks a second of a header of a movie or of a track's media."""
    return int(struct.unpack_from(">I", header, 20 if header[0] else 12)[0])


def _read_track(sound: _Boxes, table: _Boxes) -> AacTrack:
    """Raises ValueError for anything but one kind of AAC packets."""
    entry = table[b"stsd"][0]
    (entries,) = struct.unpack_from(">4xI", entry)
    runs, _, packet = struct.unpack_from(">4xIII", table[b"stts"][0])
    if entries != 1 or runs != 1 or bytes(entry[12:16]) != b"mp4a":
        raise ValueError("not one track of plain AAC")
    (version,) = struct.unpack_from(">H", entry, 24)
    parts = _boxes(entry[8 + 36 :]) if version == 0 else {}
    config = _find_config(bytes(parts[b"esds"][0][4:]))
    return AacTrack(
        config, _clock_hz(_inner(sound, b"mdia", b"mdhd")), packet, _read_edit(sound)[1]
    )


def _find_config(descriptors: bytes) -> bytes:
    """What a decoder must know, from the descriptors that hold one another. Raises ValueError."""
    at = 0
    while at < len(descriptors):
        kind = descriptors[at]
        at, size = _descriptor_size(descriptors, at + 1)
        if kind == 5:
            return descriptors[at : at + size]
        # What of a descriptor stands before those that it holds.
        at += {3: 3, 4: 13}.get(kind, size)
    raise ValueError("no decoder configuration")


def _descriptor_size(data: bytes, at: int) -> tuple[int, int]:
    size = 0
    for _ in range(4):
        byte = data[at]
        at += 1
        size = size << 7 | byte & 127
        if byte < 128:
            break
    return at, size


def _read_edit(track: _Boxes) -> tuple[int, int]:
    """How long of a track is heard, in the movie's ticks, and from which of its own. Raises
    ValueError where that is in several pieces."""
    edits = _inner(track, b"edts", b"elst")
    (count,) = struct.unpack_from(">4xI", edits)
    length, start = struct.unpack_from(">Qq" if edits[0] else ">Ii", edits, 8)
    if count != 1 or start < 0:
        raise ValueError("edited")
    return length, start


def _read_numbers(table: memoryview, head: int, code: str, count: int) -> array[int]:
    """`count` numbers behind the first `head` bytes of a table. Raises ValueError."""
    numbers = array(code)
    numbers.frombytes(table[head : head + count * numbers.itemsize])
    if len(numbers) != count:
        raise ValueError("a table is cut")
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _read_sizes(table: memoryview, most_bytes: int) -> array[int]:
    same, count = struct.unpack_from(">4xII", table)
    if same * count > most_bytes:
        raise ValueError("more packets than the file holds")
    sizes = array("I", [same]) * count if same else _read_numbers(table, 12, "I", count)
    if max(sizes, default=0) > most_bytes:
        raise ValueError("a packet longer than the file")
    return sizes


def _read_starts(table: _Boxes) -> array[int]:
    kind, code = (b"stco", "I") if b"stco" in table else (b"co64", "Q")
    places = table[kind][0]
    return _read_numbers(places, 8, code, struct.unpack_from(">4xI", places)[0])


def _read_runs(table: _Boxes, packets: int) -> tuple[tuple[int, int], ...]:
    """Byte and number of packets of each chunk. Raises ValueError where they are not `packets`."""
    starts = _read_starts(table)
    (kinds,) = struct.unpack_from(">4xI", table[b"stsc"][0])
    rows = _read_numbers(table[b"stsc"][0], 8, "I", 3 * kinds)
    firsts = [*rows[0::3], len(starts) + 1]
    if firsts != sorted(firsts):
        raise ValueError("chunks out of order")
    counts = [
        count
        for (first, after), count in zip(pairwise(firsts), rows[1::3], strict=True)
        for _ in range(first, after)
    ]
    if sum(counts) != packets:
        raise ValueError("packets without a place")
    return tuple(zip(starts, counts, strict=True))


def _read_titles(
    sound: _Boxes, tracks: Sequence[_Boxes], file: BinaryIO
) -> tuple[ChapterMark, ...]:
    """The chapters whose titles are a track of their own, to which that of the sound refers."""
    if b"tref" not in sound:
        return ()
    (number,) = struct.unpack_from(">I", _inner(sound, b"tref", b"chap"))
    titles = next((track for track in tracks if _track_id(track) == number), None)
    if titles is None:
        return ()
    table = _boxes(_inner(titles, b"mdia", b"minf", b"stbl"))
    rate_hz = _clock_hz(_inner(titles, b"mdia", b"mdhd"))
    (kinds,) = struct.unpack_from(">4xI", table[b"stts"][0])
    rows = _read_numbers(table[b"stts"][0], 8, "I", 2 * kinds)
    sizes = _read_sizes(table[b"stsz"][0], file.seek(0, 2))
    if sum(rows[0::2]) != len(sizes):
        raise ValueError("titles without a time")
    lengths = [
        ticks for count, ticks in zip(rows[0::2], rows[1::2], strict=True) for _ in range(count)
    ]
    edges = [at * 1_000 / rate_hz for at in accumulate(lengths, initial=0)]
    texts: list[str] = []
    for at, count in _read_runs(table, len(sizes)):
        file.seek(at)
        texts += [_read_title(file.read(size)) for size in sizes[len(texts) : len(texts) + count]]
    return tuple(
        ChapterMark(text, round(start), round(stop))
        for text, (start, stop) in zip(texts, pairwise(edges), strict=True)
    )


def _track_id(track: _Boxes) -> int:
    header = track[b"tkhd"][0]
    return int(struct.unpack_from(">I", header, 20 if header[0] else 12)[0])


def _read_title(sample: bytes) -> str:
    (size,) = struct.unpack_from(">H", sample)
    text = sample[2 : 2 + size]
    return text.decode("utf-16" if text[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8", "replace")


def _read_old_chapters(movie: _Boxes) -> tuple[ChapterMark, ...]:
    try:
        listed = _inner(movie, b"udta", b"chpl")
    except KeyError:
        return ()
    at = 8 if listed[0] else 4
    count, at = listed[at], at + 1
    found = []
    for _ in range(count):
        start, size = struct.unpack_from(">QB", listed, at)
        found.append((round(start * 1_000 / _NERO_HZ), bytes(listed[at + 9 : at + 9 + size])))
        at += 9 + size
    ends = [start_ms for start_ms, _ in found[1:]] + [max((ms for ms, _ in found), default=0)]
    return tuple(
        ChapterMark(title.decode("utf-8", "replace"), start_ms, stop_ms)
        for (start_ms, title), stop_ms in zip(found, ends, strict=True)
    )
