"""Frames, silence, edges, loudness: what is copied stays bit for bit, what is told is true."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import av
import lameenc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import tones
from tts_book import audio
from tts_book.audio.mp3_frames import CURRENCY, crc16
from tts_book.errors import AudioError

TEXT = "Eight words stand here to be heard again."
SPOKEN, _ = tones.speech(TEXT)
SIZE = CURRENCY.frame_bytes
ID3 = b"ID3\x03\x00\x00\x00\x00\x00\x0aTIT2 is in"
ID3V1 = b"TAG" + bytes(125)
INFO = audio.info_frame(CURRENCY, len(SPOKEN) // SIZE)
XING = CURRENCY.silence[:13] + b"Xing" + bytes(127)
# A header whose frames are larger than the others', as some encoders make for their notice.
BIG_INFO = (bytes.fromhex("fff384c4") + bytes(9) + b"Info").ljust(192, b"\0")


def _heard(frames: bytes) -> NDArray[np.int16]:
    return np.frombuffer(audio.decode(frames)[0], "<i2")


def _unrounded(frames: bytes) -> NDArray[np.float32]:
    with av.open(io.BytesIO(frames), "r") as stream:
        heard = [block.to_ndarray().reshape(-1) for block in stream.decode(audio=0)]
    return np.concatenate(heard).astype(np.float32)


def _tone(seconds: float, rate_hz: int, level: float = 0.25) -> bytes:
    turns = 2 * np.pi * 440 * np.arange(int(seconds * rate_hz)) / rate_hz
    return bytes((np.sin(turns) * level * 32_767).astype("<i2").tobytes())


@pytest.mark.parametrize(
    "stream",
    [
        SPOKEN,
        ID3 + SPOKEN,
        ID3 + ID3 + SPOKEN,
        INFO + SPOKEN,
        XING + SPOKEN,
        ID3 + BIG_INFO + SPOKEN,
        SPOKEN + ID3V1,
        ID3 + INFO + SPOKEN + ID3V1,
    ],
)
def test_only_the_frames_are_kept(stream: bytes) -> None:
    assert audio.frames_of(stream) == SPOKEN


def test_files_glued_together_are_one_stream() -> None:
    assert audio.frames_of((ID3 + INFO + SPOKEN) * 3) == SPOKEN * 3
    assert audio.frames_of(SPOKEN + BIG_INFO + SPOKEN) == SPOKEN * 2


def test_sound_that_happens_to_spell_info_is_kept() -> None:
    frames = bytearray(SPOKEN)
    frames[40 * SIZE + 13 : 40 * SIZE + 17] = b"Info"
    assert any(frames[40 * SIZE + 4 : 40 * SIZE + 13])
    assert audio.frames_of(bytes(frames)) == frames


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"", "not MP3"),
        (ID3, "not MP3"),
        (b"<html>busy</html>" * 20, "not MP3"),
        (b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f" + SPOKEN, "not MP3"),
        (SPOKEN[:-1], "cut: its last frame has 143 of 144"),
        (SPOKEN[:-140], "cut: its last frame has 4 of 144"),
        (SPOKEN[:-143], "not MP3"),
        (SPOKEN[1:], "not MP3"),
        (SPOKEN[: SIZE * 5] + b"garbage" + SPOKEN[SIZE * 5 :], "not MP3"),
        (SPOKEN[SIZE * 20 :], "begins in the middle"),
        (SPOKEN + bytes.fromhex("fffb90c4") + bytes(413), "mixed"),
        (SPOKEN + bytes.fromhex("fff384c4") + bytes(188), "mixed"),
        (bytes.fromhex("fff36404") + bytes(140), "stereo"),
        (bytes.fromhex("fff264c4") + bytes(140), "checksums"),
        (bytes.fromhex("fff564c4") + bytes(140), "not MPEG Layer III"),
        (bytes.fromhex("fff304c4") + bytes(140), "not MPEG Layer III"),
        (bytes.fromhex("fff36cc4") + bytes(140), "not MPEG Layer III"),
    ],
)
def test_what_is_not_whole_is_refused(stream: bytes, reason: str) -> None:
    with pytest.raises(AudioError, match=reason):
        audio.frames_of(stream)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_garbage_is_refused_or_whole(noise: bytes) -> None:
    for stream in (noise, CURRENCY.header + noise, ID3 + noise, SPOKEN + noise):
        try:
            frames = audio.frames_of(stream)
        except AudioError:
            continue
        assert len(frames) % audio.format_at(frames).frame_bytes == 0


@pytest.mark.parametrize(
    ("header", "frame_bytes", "samples", "rate_hz"),
    [
        ("fff364c4", 144, 576, 24_000),
        ("fff384c4", 192, 576, 24_000),
        ("fffb90c4", 417, 1_152, 44_100),
        ("fffb92c4", 418, 1_152, 44_100),
        ("fff360c4", 156, 576, 22_050),
        ("ffe348c4", 288, 576, 8_000),
    ],
)
def test_sizes_are_read_from_the_header(
    header: str, frame_bytes: int, samples: int, rate_hz: int
) -> None:
    form = audio.format_at(bytes.fromhex(header))
    assert (form.frame_bytes, form.samples, form.rate_hz) == (frame_bytes, samples, rate_hz)


@pytest.mark.parametrize(("ms", "frames"), [(0, 0), (24, 1), (600, 25), (1_000, 42), (11, 0)])
def test_silence_is_digital_and_as_long_as_asked(ms: int, frames: int) -> None:
    silence = audio.silence(ms)
    assert len(silence) == frames * SIZE
    assert not frames or not _heard(silence).any()


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_encoding_cuts_no_end_off(rate_hz: int) -> None:
    """The tone sounds in full, 1,105 samples late, whatever the rate."""
    frames = audio.encode(_tone(0.5, rate_hz), rate_hz)
    form = audio.format_at(frames)
    assert (form.header, form.frame_bytes) == (CURRENCY.header, SIZE)
    loud = np.flatnonzero(np.abs(_heard(frames).astype(int)) > 2_000)
    assert abs(loud[0] - 1_105) < 60
    assert abs(loud[-1] - 1_105 - 12_000) < 60


@pytest.mark.parametrize("samples", [1, 100, 575, 576, 577, 1_151, 1_152, 5_000])
def test_short_sounds_are_whole(samples: int) -> None:
    frames = audio.encode(_tone(1, 24_000)[: samples * 2], 24_000)
    assert len(frames) // SIZE * 576 >= samples + 1_105


@pytest.mark.parametrize("pcm", [b"", b"\0", b"\0\0\0"])
def test_half_samples_are_refused(pcm: bytes) -> None:
    with pytest.raises(AudioError, match="16-bit"):
        audio.encode(pcm, 24_000)


def test_decoding_refuses_what_is_not_frames() -> None:
    for broken in (b"", b"text", SPOKEN[:-1], SPOKEN + b"x" * SIZE):
        with pytest.raises(AudioError):
            audio.decode(broken)


def test_edges_quiet_and_stillness() -> None:
    frames, marks = tones.speech("One. Two. Three.", rest_ms=1_000)
    sound = audio.analyse(frames)
    late_ms = 1_105 / 24
    assert sound.speech_start == int((marks[0].start_ms + late_ms) / 24)
    assert abs(sound.speech_stop - (marks[-1].start_ms + 5 * tones.PIP_MS + late_ms) / 24) <= 1
    pauses = [stretch for stretch in sound.quiet if stretch[1] - stretch[0] > 20]
    assert len(pauses) == 2
    for (_, stop), mark in zip(pauses, marks[1:], strict=True):
        assert abs(stop - (mark.start_ms + late_ms) / 24) <= 1
    assert sound.duration_ms == len(frames) // 6


@pytest.mark.parametrize("noise", [0.0, 6.0, 60.0])
def test_silence_is_found_by_the_voices_own_floor(noise: float) -> None:
    """In digital silence, in a faint room, and where the room is louder than -50 dBFS."""
    frames, marks = tones.speech("One. Two. Three.", rest_ms=1_000, noise=noise)
    sound = audio.analyse(frames)
    late_ms = 1_105 / 24
    assert len([stretch for stretch in sound.quiet if stretch[1] - stretch[0] > 20]) == 2
    assert len(sound.runs_ms) == 1 + len(sound.quiet)
    # The encoder spreads the edge of a sound by some milliseconds, more where noise covers it.
    for mark, (start_ms, stop_ms) in zip(marks, sound.runs_ms, strict=True):
        assert abs(start_ms - mark.start_ms - late_ms) <= 8
        assert abs(stop_ms - mark.start_ms - 5 * tones.PIP_MS - late_ms) <= 20


def test_silence_is_told_without_decoding() -> None:
    sound = audio.analyse(audio.silence(1_200))
    assert (sound.frames, sound.speech_start, sound.speech_stop) == (50, 0, 0)
    assert (sound.loudness_lufs, sound.peak_dbfs, sound.quiet) == (None, None, ())


@pytest.mark.parametrize("level", [0.5, 0.25, 0.05])
def test_loudness_and_peak(level: float) -> None:
    sound = audio.analyse(audio.encode(_tone(3, 24_000, level), 24_000))
    dbfs = 20 * np.log10(level * 0.95)  # LAME's own scale at this bit rate
    assert sound.peak_dbfs == pytest.approx(dbfs, abs=0.1)
    # A sine's mean power is 3 dB below its peak's.
    assert sound.loudness_lufs == pytest.approx(dbfs - 3.0, abs=1.0)


@pytest.mark.parametrize("steps", [-8, -2, -1, 1, 2])
def test_gain_is_exact(steps: int) -> None:
    before = _unrounded(SPOKEN)
    after = _unrounded(audio.amplify(SPOKEN, steps, CURRENCY))
    assert np.abs(after - before * 2 ** (steps / 4)).max() <= 3e-6


def _mpeg_1(pcm: bytes) -> tuple[bytes, audio.Format]:
    """Frames of the kind with two granules, as another service might send them."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(32_000)
    encoder.set_out_sample_rate(32_000)
    encoder.set_bit_rate(64)
    frames = audio.frames_of(bytes(encoder.encode(pcm)) + bytes(encoder.flush()))
    return frames, audio.format_at(frames)


def test_gain_is_exact_in_both_granules_of_mpeg_1() -> None:
    frames, form = _mpeg_1(_tone(1, 32_000))
    assert (form.samples, form.frame_bytes, form.granules) == (1_152, 288, (18, 77))
    before, after = _unrounded(frames), _unrounded(audio.amplify(frames, -2, form))
    assert np.abs(after - before * 2**-0.5).max() <= 2e-6
    assert audio.amplify(audio.amplify(frames, -2, form), 2, form) == frames


def test_mpeg_1_is_cut_without_loss() -> None:
    noise = np.random.default_rng(3).normal(0, 3_000, 64_000).astype("<i2")
    noise[20_000:40_000] = 0
    frames, form = _mpeg_1(noise.tobytes())
    size, samples = form.frame_bytes, form.samples
    whole = _heard(frames)
    for at in range(3, len(frames) // size - 3, 5):
        carried = audio.carriers(frames, at, form)
        cut = _heard(carried + frames[at * size :])[len(carried) // size * samples :]
        assert np.array_equal(cut[2 * samples :], whole[(at + 2) * samples :])


def test_gain_never_clips_and_reaches_the_target() -> None:
    sound = audio.analyse(audio.encode(_tone(3, 24_000, 0.05), 24_000))
    quiet = audio.Meter([sound])
    assert quiet.loudness_lufs == pytest.approx(sound.loudness_lufs)
    reached = sound.loudness_lufs or 0.0
    reached += quiet.steps_to(-19.0) * audio.GAIN_STEP_DB
    assert reached == pytest.approx(-19, abs=0.76)
    assert quiet.steps_to(0.0) == quiet.most_steps
    silent = audio.Meter([audio.analyse(audio.silence(500))])
    assert (silent.loudness_lufs, silent.peak_dbfs, silent.steps_to(-19.0)) == (None, None, 0)


def test_loudness_together_is_that_of_the_joined_sound() -> None:
    parts = [audio.encode(_tone(s, 24_000, level), 24_000) for s, level in ((2, 0.3), (6, 0.1))]
    together = audio.Meter(audio.analyse(part) for part in parts)
    assert together.loudness_lufs == pytest.approx(
        audio.analyse(b"".join(parts)).loudness_lufs, abs=0.3
    )


@pytest.mark.parametrize("at", range(1, 100, 9))
def test_a_cut_start_decodes_as_before(at: int) -> None:
    carried = audio.carriers(SPOKEN, at, CURRENCY)
    assert len(carried) // SIZE <= audio.most_carriers(CURRENCY)
    cut = _heard(carried + SPOKEN[at * SIZE :])[len(carried) // SIZE * 576 :]
    whole = _heard(SPOKEN)[at * 576 :]
    assert np.array_equal(cut[2 * 576 :], whole[2 * 576 :])


def test_the_info_frame_tells_the_length() -> None:
    tag = INFO[13:]
    name, flags, frames, size = struct.unpack_from(">4sIII", tag)
    assert (name, flags, frames) == (b"Info", 11, len(SPOKEN) // SIZE)
    assert size == len(INFO + SPOKEN)
    assert tag[20:24] == b"LAME"
    assert struct.unpack_from(">H", tag, 54)[0] == crc16(INFO[:67])
    assert len(INFO) == SIZE


def test_crc_of_a_known_text() -> None:
    assert crc16(b"123456789") == 0xBB3D  # the check value of CRC-16/ARC


def test_tidied_pcm_fades_and_ends_soon() -> None:
    pcm = _tone(1, 24_000) + bytes(2 * 24_000)
    tidy = np.frombuffer(audio.trim_pcm(pcm, 24_000, keep_ms=200, gain_db=6.0), "<i2")
    assert len(tidy) / 24 == pytest.approx(1_200, abs=20)
    assert tidy[0] == 0
    assert np.abs(tidy.astype(int)).max() == pytest.approx(0.25 * 32_767 * 1.995, rel=0.01)


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_tidying_never_clips(level: float) -> None:
    tidy = np.frombuffer(audio.trim_pcm(_tone(0.5, 22_050, level), 22_050, gain_db=30), "<i2")
    assert np.abs(tidy.astype(int)).max() <= 32_767
    assert (np.abs(tidy.astype(int)) == 32_767).sum() < 50


def test_codecs_are_imported_late() -> None:
    heavy = "numpy", "av", "lameenc", "pydub", "mutagen"
    code = f"import sys, tts_book.output.stitcher; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
