"""M4B files are written as FFmpeg writes them, and read like it; what is odd is left to FFmpeg."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.audio.mp4 import AacTrack, read_m4b_index, read_m4b_packets, write_m4b
from tts_book.errors import AudioError
from tts_book.model import ChapterMark

RATE_HZ, PACKET = 24_000, 1_024


@dataclass(frozen=True)
class Encoded:
    """Three seconds of a rising tone, as an encoder gave it."""

    track: AacTrack
    packets: list[bytes]


@pytest.fixture
def encoded() -> Encoded:
    return encode()


@cache
def encode() -> Encoded:
    codec: Any = av.CodecContext.create("aac", "w")
    codec.sample_rate, codec.layout, codec.format, codec.bit_rate = RATE_HZ, "mono", "fltp", 64_000
    codec.open()
    packets: list[bytes] = []
    at = np.arange(72 * PACKET) / RATE_HZ
    for block in np.split((np.sin(600 * at * (1 + at)) / 4).astype(np.float32), 72):
        frame = av.AudioFrame.from_ndarray(block[None, :], "fltp", "mono")
        frame.sample_rate = RATE_HZ
        packets += map(bytes, codec.encode(frame))
    packets += map(bytes, codec.encode(None))
    return Encoded(AacTrack(bytes(codec.extradata), RATE_HZ, PACKET, PACKET), packets)


def marks(*titles: str, length_ms: int = 1_000) -> tuple[ChapterMark, ...]:
    edges = pairwise(range(0, length_ms * len(titles) + 1, length_ms))
    return tuple(ChapterMark(title, *edge) for title, edge in zip(titles, edges, strict=True))


def write(path: Path, made: Encoded, chapters: tuple[ChapterMark, ...] = (), **more: Any) -> Path:
    write_m4b(path, made.track, made.packets, len(made.packets), chapters, "rus", **more)
    return path


def write_with_ffmpeg(path: Path, made: Encoded, titles: tuple[str, ...], **options: str) -> Path:
    with av.open(str(path), "w", format="ipod", container_options=options) as file:
        stream: Any = file.add_stream("aac", RATE_HZ)
        stream.layout, stream.codec_context.extradata = "mono", made.track.config
        for number, data in enumerate(made.packets):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, RATE_HZ)
            packet.pts = packet.dts = (number - 1) * PACKET
            packet.duration = PACKET
            file.mux(packet)
        file.set_chapters(
            [
                {
                    "id": number,
                    "start": mark.start_ms,
                    "end": mark.stop_ms,
                    "time_base": Fraction(1, 1_000),
                    "metadata": {"title": mark.title},
                }
                for number, mark in enumerate(marks(*titles))
            ]
        )
    return path


def read(path: Path) -> tuple[list[bytes], tuple[ChapterMark, ...], int]:
    index = read_m4b_index(path)
    assert index is not None
    packets = [packet for some in read_m4b_packets(path, index, 7) for packet in some]
    return packets, index.chapters, index.duration_ms


def read_with_ffmpeg(path: Path) -> tuple[list[bytes], tuple[ChapterMark, ...], int]:
    with av.open(str(path)) as file:
        found = tuple(
            ChapterMark(
                chapter["metadata"]["title"],
                *(
                    round(chapter[edge] * (chapter["time_base"] or 1) * 1_000)
                    for edge in ("start", "end")
                ),
            )
            for chapter in file.chapters()
        )
        packets = [bytes(packet) for packet in file.demux(audio=0) if packet.size]
        return packets, found, round((file.duration or 0) / 1_000)


CHAPTERS = {
    "none": (),
    "one": ("Only",),
    "Cyrillic and emoji": ("Глава первая", "Weiß 🐚", ""),
    "long titles": ("а" * 400, "b" * 300),
    "more than the old list holds": tuple(f"Chapter {number}" for number in range(1, 301)),
}


@pytest.mark.parametrize("large", [0, 1 << 33], ids=["small", "large"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_ffmpeg_reads_what_is_written(
    tmp_path: Path, encoded: Encoded, name: str, large: int
) -> None:
    chapters = marks(*CHAPTERS[name])
    path = write(tmp_path / "b.m4b", encoded, chapters, most_bytes=large)
    packets, found, duration_ms = read_with_ffmpeg(path)
    assert packets == encoded.packets
    assert found == chapters
    assert duration_ms == pytest.approx(72 * PACKET * 1_000 // RATE_HZ, abs=1)
    with av.open(str(path)) as file:
        assert file.streams.audio[0].metadata["language"] == "rus"
        heard = sum(frame.samples for frame in file.decode(audio=0))
    assert heard == 72 * PACKET  # without the encoder's delay
    assert read(path) == (packets, found, duration_ms)


def test_players_of_the_old_list_see_the_chapters(tmp_path: Path, encoded: Encoded) -> None:
    path = write(tmp_path / "b.m4b", encoded, marks("Eins", "Zwei", "Drei"))
    assert path.read_bytes()[4:12] == b"ftypM4B "
    file = import_module("mutagen.mp4").MP4(path)
    assert [(each.start, each.title) for each in file.chapters] == [
        (0.0, "Eins"),
        (1.0, "Zwei"),
        (2.0, "Drei"),
    ]
    assert (file.info.codec, file.info.sample_rate, file.info.channels) == ("mp4a.40.2", RATE_HZ, 1)


@pytest.mark.parametrize("options", [{}, {"movflags": "+faststart"}], ids=["behind", "in front"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_files_of_ffmpeg_are_read_like_it(
    tmp_path: Path, encoded: Encoded, name: str, options: dict[str, str]
) -> None:
    path = write_with_ffmpeg(tmp_path / "f.m4b", encoded, CHAPTERS[name], **options)
    assert read(path) == read_with_ffmpeg(path)


def test_the_same_index_as_ffmpeg(tmp_path: Path, encoded: Encoded) -> None:
    """Every box of FFmpeg's file that says anything is in ours."""
    options = {"movflags": "+faststart", "brand": "M4B ", "fflags": "+bitexact"}
    options["movie_timescale"] = "1000"  # what newer versions choose is finer
    theirs = write_with_ffmpeg(tmp_path / "f.m4b", encoded, ("One", "Two"), **options).read_bytes()
    ours = write(tmp_path / "b.m4b", encoded, marks("One", "Two")).read_bytes()
    for kind, size in ((b"stsd", 40), (b"stts", 24), (b"elst", 28), (b"gmhd", 76), (b"chpl", 30)):
        at, own = theirs.index(kind), ours.index(kind)
        assert ours[own : own + size - 8] == theirs[at : at + size - 8], kind


def test_too_few_packets(tmp_path: Path, encoded: Encoded) -> None:
    with pytest.raises(AudioError, match="has 73 packets instead of 80"):
        write_m4b(tmp_path / "b.m4b", encoded.track, encoded.packets[:73], 80)


def test_a_cut_file_gives_what_is_there(tmp_path: Path, encoded: Encoded) -> None:
    path = write(tmp_path / "b.m4b", encoded)
    path.write_bytes(path.read_bytes()[: -len(encoded.packets[-1]) - 1])
    assert read(path)[0] == encoded.packets[:-2]


def test_what_is_left_to_ffmpeg(tmp_path: Path, encoded: Encoded) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(b"\xff\xf3\x64\xc4" + bytes(140))
    pieces = write_with_ffmpeg(
        tmp_path / "p.m4b", encoded, (), movflags="+frag_keyframe+empty_moov"
    )
    assert read_m4b_index(song) is None
    assert read_m4b_index(pieces) is None
    with pytest.raises(AudioError, match="cannot be read"):
        read_m4b_index(tmp_path / "none.m4b")


DAMAGE = st.tuples(st.integers(28, 1_500), st.binary(min_size=1, max_size=4))


@settings(max_examples=100, deadline=None)
@given(damages=st.lists(DAMAGE, min_size=1, max_size=4))
def test_no_damage_does_harm(
    tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[int, bytes]]
) -> None:
    """Whatever is changed in an index, it is read or left to FFmpeg; no packet is made up."""
    path = write(tmp_path_factory.mktemp("m4b") / "b.m4b", encode(), marks("One", "Two"))
    whole = bytearray(path.read_bytes())
    for at, data in damages:
        whole[at : at + len(data)] = data
    path.write_bytes(whole)
    index = read_m4b_index(path)
    if index is not None:
        packets = sum(map(len, read_m4b_packets(path, index, 50)))
        assert packets <= len(encode().packets)
