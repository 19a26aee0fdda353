"""What was spoken is heard in the file: every word once, bit for bit, at the time told, with the
pauses asked for; and no half file ever bears a final name."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import tones
from tts_book import audio
from tts_book.audio import file_tags
from tts_book.audio.file_tags import Tags
from tts_book.errors import AudioError, UserError
from tts_book.model import Break, Chunk, Entry, Mark, Pauses, Segment
from tts_book.output.stitcher import StitchedChapter, stitch_chapter
from tts_book.synthesis import atomic
from tts_book.synthesis.chunk_cache import ChunkCache

FRAME, SAMPLES, FRAME_MS = 144, 576, 24
DELAY = 1_105  # samples by which coding moves sound; players that know take them off
TITLE = Tags("Глава первая", album="Книга", owner="test")
TEXTS = (
    "It began on a quiet morning.",
    "Nobody had asked for rain!",
    "Дождь всё же пошёл, и надолго.",
    "The last words come here.",
)
BREAKS = (Break.SENTENCE, Break.PARAGRAPH, Break.HEADING, Break.CHAPTER)


def _segment(
    folder: Path,
    text: str,
    after: Break,
    frames: bytes,
    marks: tuple[Mark, ...] = (),
    number: int = 1,
) -> Segment:
    path = folder / f"{number}.entry"
    path.write_bytes(frames + b"what the cache knows of them")
    chunk = Chunk(1, number, 0, len(text), text, text, after)
    entry = Entry(path, len(frames), audio.analyse(frames), marks, {})
    return Segment(chunk, entry, cached=True)


def _spoken(
    folder: Path,
    texts: Sequence[str] = TEXTS,
    breaks: Sequence[Break] = BREAKS,
    *,
    lead_ms: int = 200,
    tail_ms: int = 875,
    rest_ms: int = 0,
    noise: float = 0.0,
) -> list[Segment]:
    made = []
    for number, (text, after) in enumerate(zip(texts, breaks, strict=True), 1):
        frames, marks = tones.speech(
            text, lead_ms=lead_ms, tail_ms=tail_ms, rest_ms=rest_ms, noise=noise
        )
        made.append(_segment(folder, text, after, frames, marks, number))
    return made


def _stitch(segments: list[Segment], target: Path, pauses: Pauses | None = None) -> StitchedChapter:
    return stitch_chapter(segments, target, pauses=pauses or Pauses(), tags=TITLE)


def _payload(path: Path) -> bytes:
    """The file's frames, without its tag and its Info frame."""
    data = path.read_bytes()
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte
    return data[10 + size + FRAME :]


def _decoded(frames: bytes) -> NDArray[np.int16]:
    return np.frombuffer(audio.decode(frames)[0], "<i2")


def _played(path: Path) -> NDArray[np.int16]:
    """The sound as a player that reads the Info frame gives it."""
    return tones.play(path)


def _pauses_ms(sound: NDArray[np.int16], least_ms: int = 150) -> list[float]:
    """The silences between the words of a recording."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 104)
    gaps = np.diff(loud) / 24
    return [float(gap) for gap in gaps if gap >= least_ms]


@pytest.mark.parametrize(
    ("lead_ms", "tail_ms"), [(200, 875), (200, 370), (0, 0), (20, 1_500), (1_500, 20), (400, 100)]
)
def test_every_word_once_in_order_with_the_pauses_asked(
    tmp_path: Path, lead_ms: int, tail_ms: int
) -> None:
    texts = (*TEXTS, "Nobody was there to hear it.")
    # The fourth is a heading: its pause stands before it, too.
    breaks = (Break.SENTENCE, Break.PARAGRAPH, Break.SENTENCE, Break.HEADING, Break.CHAPTER)
    segments = _spoken(tmp_path, texts, breaks, lead_ms=lead_ms, tail_ms=tail_ms)
    done = _stitch(segments, tmp_path / "out.mp3")
    sound = _played(done.path)
    heard = tones.read(sound)
    assert [word.code for word in heard] == [c for text in texts for c in tones.codes(text)]
    asked = [600, 900, 1_200, 1_200]
    got = _pauses_ms(sound)
    assert len(got) == 4
    for ms, wanted in zip(got, asked, strict=True):
        assert abs(ms - wanted) <= 2 * FRAME_MS
    end_ms = (len(sound) - np.flatnonzero(np.abs(sound.astype(int)) > 104)[-1]) / 24
    assert abs(end_ms - 2_000) <= 2 * FRAME_MS


@pytest.mark.parametrize("sentence_ms", [0, 100, 192, 240, 400, 1_000, 3_000])
def test_short_and_long_pauses(tmp_path: Path, sentence_ms: int) -> None:
    segments = _spoken(tmp_path, TEXTS[:2], (Break.SENTENCE, Break.CHAPTER))
    done = _stitch(segments, tmp_path / "out.mp3", Pauses(sentence_ms=sentence_ms))
    (got,) = _pauses_ms(_played(done.path), 100)
    # Some frames around speech are always kept: 192 ms is the shortest pause.
    assert abs(got - max(192, sentence_ms)) <= 2 * FRAME_MS


def test_the_times_told_are_the_times_heard(tmp_path: Path) -> None:
    segments = _spoken(tmp_path)
    done = _stitch(segments, tmp_path / "out.mp3")
    heard = iter(tones.read(_played(done.path)))
    for start_ms, segment in zip(done.starts_ms, segments, strict=True):
        first = next(heard)
        assert abs(first.start_ms - start_ms) <= FRAME_MS
        for _ in segment.entry.marks[1:]:
            next(heard)


def test_length_is_exact(tmp_path: Path) -> None:
    done = _stitch(_spoken(tmp_path), tmp_path / "out.mp3")
    frames = _payload(done.path)
    assert len(frames) == done.frames * FRAME
    assert done.duration_ms == done.frames * FRAME_MS
    assert done.bytes == done.path.stat().st_size
    assert len(_decoded(frames)) == done.frames * SAMPLES
    assert len(_played(done.path)) == done.frames * SAMPLES - DELAY


def test_the_info_frame_is_right(tmp_path: Path) -> None:
    done = _stitch(_spoken(tmp_path), tmp_path / "out.mp3")
    payload = _payload(done.path)
    info = done.path.read_bytes()[: -len(payload)][-FRAME:]
    name, _, frames, size = struct.unpack_from(">4sIII", info, 13)
    assert (name, frames, size) == (b"Info", done.frames, len(payload) + FRAME)
    assert struct.unpack_from(">H", info, 67)[0] == _crc(info[:67])


def _crc(data: bytes) -> int:
    crc = 0
    for bit in (byte >> n & 1 for byte in data for n in range(8)):
        crc = crc >> 1 ^ (0xA001 if (crc ^ bit) & 1 else 0)
    return crc


@pytest.mark.parametrize(
    ("lead_ms", "tail_ms", "pauses"),
    [(200, 875, Pauses()), (1_500, 875, Pauses()), (700, 300, Pauses(192, 192, 192))],
)
def test_every_segment_decodes_bit_for_bit(
    tmp_path: Path, lead_ms: int, tail_ms: int, pauses: Pauses
) -> None:
    texts = [f"{text} And more of it. {text}" for text in TEXTS]
    segments = _spoken(tmp_path, texts, lead_ms=lead_ms, tail_ms=tail_ms, rest_ms=1_000)
    done = _stitch(segments, tmp_path / "out.mp3", pauses)
    assert len(done.timeline.pieces) == 12
    joined = _decoded(_payload(done.path))
    for piece, at in done.timeline.heard():
        entry = segments[piece.segment].entry
        alone = _decoded(entry.path.read_bytes()[: entry.frames_bytes])
        settled = 2 if piece.start else 0
        there = joined[(at + settled) * SAMPLES : (at + piece.stop - piece.start) * SAMPLES]
        assert np.array_equal(
            there, alone[(piece.start + settled) * SAMPLES : piece.stop * SAMPLES]
        )


def test_joins_neither_click_nor_hiss(tmp_path: Path) -> None:
    """Cut where the sound is loud noise: the joins are silent within two frames."""
    segments = _spoken(tmp_path, noise=10.0)
    done = _stitch(segments, tmp_path / "out.mp3", Pauses(3_000, 3_000, 3_000))
    joined = _decoded(_payload(done.path)).astype(np.int32)
    for piece, at in done.timeline.heard():
        begin, end = at * SAMPLES, (at + piece.stop - piece.start) * SAMPLES
        for edge in (begin, end):
            around = joined[max(0, edge - 1_200) : edge + 1_200]
            assert np.abs(np.diff(around)).max() < 0.01 * 32_768
        if piece.rest > 2:
            assert not joined[(at - piece.rest + 2) * SAMPLES : begin].any()


@pytest.mark.parametrize("steps", [-3, 2])
def test_gain_reaches_every_frame(tmp_path: Path, steps: int) -> None:
    segments = _spoken(tmp_path)
    plain = _stitch(segments, tmp_path / "plain.mp3")
    louder = stitch_chapter(
        segments, tmp_path / "gain.mp3", pauses=Pauses(), tags=TITLE, gain_steps=steps
    )
    assert louder.gain_steps == steps
    before, after = (_decoded(_payload(d.path)).astype(float) for d in (plain, louder))
    assert np.abs(after - before * 2 ** (steps / 4)).max() < 3


def test_gain_stops_before_it_clips(tmp_path: Path) -> None:
    done = stitch_chapter(
        _spoken(tmp_path), tmp_path / "a.mp3", pauses=Pauses(), tags=TITLE, gain_steps=8
    )
    sound = _played(done.path)
    assert np.abs(sound.astype(int)).max() <= 32_768 * 10 ** (audio.PEAK_DBFS / 20)
    assert [word.code for word in tones.read(sound)] == [c for t in TEXTS for c in tones.codes(t)]


def test_silent_segments_are_kept_whole(tmp_path: Path) -> None:
    silent = [
        _segment(tmp_path, "…", after, audio.silence(960), number=n)
        for n, after in enumerate((Break.SENTENCE, Break.PARAGRAPH, Break.CHAPTER), 1)
    ]
    done = _stitch(silent, tmp_path / "out.mp3", Pauses(chapter_ms=2_400))
    lead = done.timeline.pieces[0].rest
    assert done.frames == lead + 3 * 40 + 25 + 38 + 100


def test_segments_are_asked_for_once_each_and_held_one_at_a_time(tmp_path: Path) -> None:
    segments = _spoken(tmp_path)
    asked: list[int] = []

    class Lazy(Sequence[Segment]):
        def __len__(self) -> int:
            return len(segments)

        def __getitem__(self, at: int) -> Segment:  # type: ignore[override]  # no slices here
            asked.append(at)
            return segments[at]

    stitch_chapter(Lazy(), tmp_path / "out.mp3", pauses=Pauses(), tags=TITLE)
    assert len(asked) <= len(segments) + 2


def test_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    segments = _spoken(tmp_path)
    first = _stitch(segments, tmp_path / "a.mp3").path.read_bytes()
    assert _stitch(segments, tmp_path / "b.mp3").path.read_bytes() == first


def test_tags_are_there(tmp_path: Path) -> None:
    done = _stitch(_spoken(tmp_path), tmp_path / "Глава первая.mp3")
    assert file_tags.read_tags(done.path).title == "Глава первая"
    assert file_tags.owner_of(done.path) == "test"


# Within a chunk ---------------------------------------------------------------------------------


def _one(folder: Path, text: str, sentences: bool, noise: float = 0.0) -> list[Segment]:
    frames, marks = tones.speech(text, rest_ms=1_200, noise=noise)
    given = tones.sentences(text, marks) if sentences else marks
    return [_segment(folder, text, Break.CHAPTER, frames, given)]


@pytest.mark.parametrize("sentences", [True, False], ids=["sentence marks", "word marks"])
@pytest.mark.parametrize(
    ("pauses", "asked"),
    [
        (Pauses(), [600, 900, 600]),
        (Pauses(sentence_ms=300, paragraph_ms=2_000), [300, 2_000, 300]),
        (Pauses(sentence_ms=2_000), [2_000, 900, 2_000]),
        (Pauses(sentence_ms=1_200, paragraph_ms=1_260), [1_200, 1_260, 1_200]),
    ],
)
def test_pauses_within_a_chunk(
    tmp_path: Path, sentences: bool, pauses: Pauses, asked: list[int]
) -> None:
    """Whatever the voice rests, sentences and paragraphs are as far apart as asked."""
    text = "One two. Three four five.\n\nSix seven. Eight nine ten."
    segments = _one(tmp_path, text, sentences)
    done = _stitch(segments, tmp_path / "out.mp3", pauses)
    sound = _played(done.path)
    assert [word.code for word in tones.read(sound)] == tones.codes(text)
    got = _pauses_ms(sound)
    assert len(got) == 3
    for ms, wanted in zip(got, asked, strict=True):
        assert abs(ms - wanted) <= 2.5 * FRAME_MS


def test_long_silences_that_no_sentence_explains_stay(tmp_path: Path) -> None:
    text = "One two. three four."
    frames, marks = tones.speech(text, rest_ms=1_200)
    bare = text.replace(".", ",")
    done = _stitch([_segment(tmp_path, bare, Break.CHAPTER, frames, marks)], tmp_path / "a.mp3")
    assert len(done.timeline.pieces) == 1


# What can go wrong ------------------------------------------------------------------------------


def _mixed(folder: Path) -> list[Segment]:
    first, second, *_ = _spoken(folder)
    other = replace(second.entry.sound, rate_hz=44_100, frame_bytes=417, samples_per_frame=1_152)
    return [first, replace(second, entry=replace(second.entry, sound=other))]


def _cut(folder: Path) -> list[Segment]:
    segments = _spoken(folder)
    entry = segments[1].entry
    entry.path.write_bytes(entry.path.read_bytes()[: entry.frames_bytes - 1])
    return segments


def _damaged(folder: Path) -> list[Segment]:
    segments = _spoken(folder)
    path = segments[2].entry.path
    data = bytearray(path.read_bytes())
    data[FRAME * 4] = 0
    path.write_bytes(data)
    return segments


def _gone(folder: Path) -> list[Segment]:
    segments = _spoken(folder)
    segments[3].entry.path.unlink()
    return segments


def _short(folder: Path) -> list[Segment]:
    segments = _spoken(folder)
    entry = segments[1].entry
    return [segments[0], replace(segments[1], entry=replace(entry, frames_bytes=FRAME))]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda _: [], "no segments"),
        (_mixed, "44100 Hz"),
        (_cut, "is cut|damaged"),
        (_damaged, "damaged"),
        (_gone, "cannot be read"),
        (_short, "not whole"),
    ],
)
def test_broken_segments_leave_nothing_behind(tmp_path: Path, broken, reason: str) -> None:  # type: ignore[no-untyped-def]  # rows hold functions
    cache, out = tmp_path / "cache", tmp_path / "out"
    cache.mkdir()
    out.mkdir()
    (out / "a.mp3").write_bytes(b"the old file")
    with pytest.raises(AudioError, match=reason):
        _stitch(broken(cache), out / "a.mp3")
    assert [path.name for path in out.iterdir()] == ["a.mp3"]
    assert (out / "a.mp3").read_bytes() == b"the old file"


def test_a_segment_that_is_spoken_again_meanwhile_is_not_joined(tmp_path: Path) -> None:
    kept = ChunkCache(tmp_path / "cache")
    segments = []
    for segment in _spoken(tmp_path):
        old = segment.entry
        frames = old.path.read_bytes()[: old.frames_bytes]
        entry = kept.put(f"{segment.chunk.number:064}", frames, old.sound, old.marks, {})
        segments.append(replace(segment, entry=entry))

    def meanwhile(_: audio.Meter) -> int:
        first, second = (segment.entry for segment in segments[:2])
        frames = first.path.read_bytes()[: first.frames_bytes]
        kept.put(second.path.stem, frames, first.sound, first.marks, {}, again=True)
        return 0

    with pytest.raises(AudioError, match="has changed meanwhile"):
        stitch_chapter(
            segments, tmp_path / "a.mp3", pauses=Pauses(), tags=TITLE, gain_steps=meanwhile
        )
    assert not (tmp_path / "a.mp3").exists()


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EACCES, "another folder"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "another folder"),
    ],
)
def test_disks_that_refuse_are_told_in_one_line(tmp_path: Path, number: int, fix: str) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise OSError(number, os.strerror(number))

    segments = _spoken(tmp_path)
    waits: list[float] = []
    with pytest.raises(UserError, match=fix) as told:
        stitch_chapter(
            segments,
            tmp_path / "out" / "a.mp3",
            pauses=Pauses(),
            tags=TITLE,
            replace=refuse,
            sleep=waits.append,
        )
    assert str(tmp_path / "out") in str(told.value)
    assert "\n" not in str(told.value)
    assert list((tmp_path / "out").iterdir()) == []
    assert len(waits) == (5 if number == errno.EACCES else 0)


def test_a_target_that_is_held_for_a_moment_is_replaced_later(tmp_path: Path) -> None:
    refusals = [PermissionError(errno.EACCES, "held"), PermissionError(errno.EACCES, "held")]
    waits: list[float] = []

    def held(part: Path, target: Path) -> None:
        if refusals:
            raise refusals.pop()
        part.replace(target)

    done = stitch_chapter(
        _spoken(tmp_path),
        tmp_path / "a.mp3",
        pauses=Pauses(),
        tags=TITLE,
        replace=held,
        sleep=waits.append,
    )
    assert done.path.exists()
    assert waits == [0.1, 0.2]


def test_a_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match="another folder"):
        _stitch(_spoken(tmp_path), tmp_path / "out" / "a.mp3")


def test_a_folder_in_the_way_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").mkdir()
    with pytest.raises(UserError, match=r"a\.mp3"):
        _stitch(_spoken(tmp_path), tmp_path / "a.mp3")
    assert atomic.find_leftovers(tmp_path) == ()


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.output import test_stitcher as t

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

class Deadly(type(Path())):
    open = die

folder = Path({folder!r})
segments = t._spoken(folder)
if {when!r} == "while writing":
    third = segments[2].entry
    segments[2] = replace(segments[2], entry=replace(third, path=Deadly(third.path)))
t.stitch_chapter(segments, folder / "out" / "a.mp3", pauses=t.Pauses(), tags=t.TITLE, replace=die)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
@pytest.mark.parametrize("when", ["while writing", "before the name is given"])
def test_a_killed_run_leaves_no_half_file(tmp_path: Path, when: str) -> None:
    out = tmp_path / "out"
    code = KILLED.format(tests=str(Path(__file__).parents[2]), folder=str(tmp_path), when=when)
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (out / "a.mp3").exists()
    assert tuple(out.iterdir()) == atomic.find_leftovers(out) != ()
    assert _stitch(_spoken(tmp_path), out / "a.mp3").path.exists()


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.output import test_stitcher as t

folder = Path({folder!r})
segments = t._spoken(folder)
sys.dont_write_bytecode = True  # or half a module could be left in Python's cache
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    t._stitch(segments, folder / "out" / "a.mp3")
except t.UserError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_fills_up_is_told_and_left_clean(tmp_path: Path) -> None:
    code = FULL.format(tests=str(Path(__file__).parents[2]), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Cannot write a.mp3 in {tmp_path / 'out'}: the file grows")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.external
@pytest.mark.parametrize(
    ("lead_ms", "pauses"), [(200, Pauses()), (1_500, Pauses(192, 192, 192)), (0, Pauses(3_000))]
)
@pytest.mark.parametrize(
    "command",
    [
        ["ffmpeg", "-v", "error", "-i", "a.mp3", "-f", "null", "-"],
        ["mpg123", "-q", "-t", "a.mp3"],
    ],
    ids=["ffmpeg", "mpg123"],
)
def test_decoders_have_nothing_to_say(
    tmp_path: Path, command: list[str], lead_ms: int, pauses: Pauses
) -> None:
    assert shutil.which(command[0]), f"{command[0]} is not installed"
    texts = [f"{text} And more of it. {text}" for text in TEXTS]
    segments = _spoken(tmp_path, texts, lead_ms=lead_ms, rest_ms=900)
    done = _stitch(segments, tmp_path / "a.mp3", pauses)
    assert len(done.timeline.pieces) == 12  # pauses inside chunks are cut or lengthened, too
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.external
def test_the_validator_is_content(tmp_path: Path) -> None:
    _stitch(_spoken(tmp_path), tmp_path / "a.mp3")
    said = subprocess.run(["mp3val", "a.mp3"], cwd=tmp_path, capture_output=True, text=True)
    assert "WARNING" not in said.stdout
    assert "INFO" in said.stdout


@pytest.mark.external
def test_ffprobe_tells_the_exact_length(tmp_path: Path) -> None:
    done = _stitch(_spoken(tmp_path), tmp_path / "a.mp3")
    ask = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", "a.mp3"]
    said = subprocess.run(ask, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(said.stdout) == pytest.approx(done.frames * 0.024, abs=1e-6)


def test_no_unfinished_file_gets_the_name_of_one_that_was_taken_away(tmp_path: Path) -> None:
    # Whoever still writes to that one would write into this.
    with atomic.open_part(tmp_path) as first:
        name = Path(first.name)
    name.unlink()
    with atomic.open_part(tmp_path) as second:
        assert Path(second.name) != name
