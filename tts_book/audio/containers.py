"""M4B and Opus files: chapters are encoded apart, on all cores, then bound into one file.

Memory stays small: sound passes in blocks, packets one by one. Each chapter begins at the packet
that is nearest to its place in the book's MP3, so that all formats run alike within a frame, and
what is encoded of a chapter does not depend on those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tts_book.audio.decoder import decode_mp3
from tts_book.audio.limiter import limit_blocks
from tts_book.audio.mp3_frames import CURRENCY
from tts_book.audio.mp4 import AacTrack, read_m4b_index, read_m4b_packets, write_m4b
from tts_book.errors import AudioError
from tts_book.model import ChapterMark

if TYPE_CHECKING:
    pass

_MP4 = "ipod"  # what FFmpeg calls the container of M4B
_WITHIN = "matroska"  # what a chapter's packets lie in until they are bound


@dataclass(frozen=True, slots=True)
class Codec:
    """How sound is encoded: `packet` samples at `rate_hz` a packet, `delay` samples before the
    first one that is heard. No true peak is higher than `ceiling_dbtp` before it is encoded, so
    that none is above -1 dBTP when it is decoded: a codec adds to peaks, at low bit rates most."""

    name: str
    rate_hz: int
    packet: int
    delay: int
    kbps: int
    options: dict[str, str]
    container: str
    ceiling_dbtp: float

    @property
    def packet_ms(self) -> float:
        """How long a packet is heard."""
        return self.packet * 1_000 / self.rate_hz

    def count_packets(self, ms: float) -> int:
        """How many packets come nearest to `ms`."""
        return round(ms / self.packet_ms)


# Measured by PESQ on speech that was MP3 before: without noise substitution and temporal shaping
# AAC gains 0.2, in its speech mode Opus gains 0.16 and is a quarter smaller.
_AAC_OPTIONS = {"aac_coder": "fast", "aac_tns": "0", "aac_pns": "0"}
_OPUS_OPTIONS = {"application": "voip", "compression_level": "10"}
AAC = Codec("aac", CURRENCY.rate_hz, 1_024, 1_024, 80, _AAC_OPTIONS, _MP4, -2.5)
OPUS = Codec("libopus", 48_000, 960, 312, 32, _OPUS_OPTIONS, "ogg", -5.0)
_SPARE_PACKETS = 4  # of silence behind a chapter, for its place in the book


@dataclass(frozen=True, slots=True)
class Probe:
    """What a finished file says of itself."""

    duration_ms: int
    chapters: tuple[ChapterMark, ...]


def encode_file(
    source: Path,
    target: Path,
    codec: Codec,
    gain_db: float = 0.0,
    passed: Callable[[int], None] = lambda ms: None,
) -> None:
    """Encodes the finished MP3 `source`, louder by `gain_db` with its peaks limited, to `target`,
    for `bind`. `passed` is told how many ms more are on their way. Raises AudioError and
    OSError."""
    import av

    try:
        with av.open(str(target), "w", format=_WITHIN) as made:
            stream: Any = made.add_stream(codec.name, codec.rate_hz, options=codec.options)
            stream.bit_rate, stream.layout = codec.kbps * 1_000, "mono"
            for frame in chain(_frames(source, codec, gain_db, passed), [None]):
                for packet in stream.encode(frame):
                    made.mux(packet)
    except OSError:
        raise  # also those of the library: a full disk is the user's to fix
    except av.FFmpegError as error:
        raise AudioError(f"{source.name} cannot be encoded: {error.strerror}") from error


def _frames(
    source: Path, codec: Codec, gain_db: float, passed: Callable[[int], None]
) -> Iterator[Any]:
    import av
    import numpy as np

    resampler = av.AudioResampler("fltp", "mono", codec.rate_hz, codec.packet)
    spare = (codec.delay + _SPARE_PACKETS * codec.packet) * CURRENCY.rate_hz // codec.rate_hz
    factor = np.float64(10 ** (gain_db / 20) / 32_768)
    heard = chain(decode_mp3(source), [np.zeros(spare, np.int16)])
    louder = (np.multiply(block, factor, dtype=np.float64) for block in heard)
    at = 0
    for block in limit_blocks(louder, CURRENCY.rate_hz, 10 ** (codec.ceiling_dbtp / 20)):
        frame = av.AudioFrame.from_ndarray(block.astype(np.float32)[None, :], "fltp", "mono")
        frame.sample_rate, frame.pts = CURRENCY.rate_hz, at
        frame.time_base = Fraction(1, CURRENCY.rate_hz)
        at += len(block)
        passed(len(block) * 1_000 // CURRENCY.rate_hz)
        yield from resampler.resample(frame)
    yield from (_whole(frame, codec.packet) for frame in resampler.resample(None))


def _whole(frame: Any, packet: int) -> Any:
    """The last frame, with silence up to a packet's length."""
    import av
    import numpy as np

    samples = frame.to_ndarray()
    filled = np.pad(samples, ((0, 0), (0, -samples.shape[1] % packet)))
    whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(filled), "fltp", "mono")
    whole.sample_rate, whole.pts, whole.time_base = frame.sample_rate, frame.pts, frame.time_base
    return whole


def bind(
    parts: Sequence[tuple[Path, int]],
    target: Path,
    codec: Codec,
    chapters: Sequence[ChapterMark] = (),
    language: str = "",
) -> None:
    """Joins what `encode_file` made into one file: of each part so many packets, whose last hold
    silence. With chapter marks where the container has them (Opus has them in its tags); `language`
    has three letters. Raises AudioError and OSError."""
    import av

    try:
        packets = _packets(parts, codec)
        if codec.container == _MP4:
            first = next(packets)
            config = bytes(first.stream.codec_context.extradata or b"")
            write_m4b(
                target,
                AacTrack(config, codec.rate_hz, codec.packet, codec.delay),
                map(bytes, chain([first], packets)),
                sum(count for _, count in parts),
                chapters,
                language,
                sum(part.stat().st_size for part, _ in parts),
            )
        else:
            _bind_ogg(packets, target, f"{target.name} {chapters}", language)
    except OSError:
        raise  # as above
    except av.FFmpegError as error:
        raise AudioError(f"{target.name} cannot be bound: {error.strerror}") from error


def _bind_ogg(packets: Iterator[Any], target: Path, said: str, language: str) -> None:
    import av

    # Ogg streams want numbers of their own, which the library would draw by chance: here the same
    # book is the same bytes.
    options = {"fflags": "+bitexact", "serial_offset": str(crc32(said.encode()) >> 1)}
    with av.open(str(target), "w", format="ogg", container_options=options) as made:
        stream: Any = None
        for packet in packets:
            if stream is None:
                stream = made.add_stream_from_template(packet.stream)
                if language:
                    stream.metadata["language"] = language
            packet.stream = stream
            made.mux(packet)


def _packets(parts: Sequence[tuple[Path, int]], codec: Codec) -> Iterator[Any]:
    """The packets of all parts, numbered through."""
    import av

    at = -codec.delay
    for part, count in parts:
        with av.open(str(part)) as source:
            packets = (packet for packet in source.demux(audio=0) if packet.size)
            left = count
            for packet in islice(packets, count):
                packet.time_base = Fraction(1, codec.rate_hz)
                packet.pts = packet.dts = at
                packet.duration = codec.packet
                at += codec.packet
                left -= 1
                yield packet
        if left:
            raise AudioError(f"{part.name} has {count - left} packets instead of {count}.")


def probe(path: Path) -> Probe:
    """Length and chapters as any player finds them. Raises AudioError."""
    if index := read_m4b_index(path):
        return Probe(index.duration_ms, index.chapters)
    import av

    try:
        with av.open(str(path)) as file:
            chapters = tuple(_mark(each) for each in file.chapters())
            return Probe(round((file.duration or 0) / 1_000), chapters)
    except av.FFmpegError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}") from error


def _mark(chapter: Any) -> ChapterMark:
    start, stop = (round(chapter[n] * chapter["time_base"] * 1_000) for n in ("start", "end"))
    return ChapterMark(chapter["metadata"].get("title", ""), start, stop)


def read_packets(path: Path, at_once: int) -> Iterator[list[bytes]]:
    """The encoded packets of a file's sound, so many at a time. Raises AudioError."""
    if index := read_m4b_index(path):
        yield from read_m4b_packets(path, index, at_once)
        return
    import av

    try:
        with av.open(str(path)) as file:
            packets = (bytes(packet) for packet in file.demux(audio=0) if packet.size)
            while some := list(islice(packets, at_once)):
                yield some
    except (av.FFmpegError, OSError) as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error
