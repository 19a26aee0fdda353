"""Sound of any kind brought to the one format inside: 24 kHz mono MP3 frames of 48 kbit/s.

Frames that already have it are copied; anything else is decoded and encoded once. PCM, whose ends
are tidied before, is mono, signed 16 bit, little endian.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tts_book.audio.limiter import round_off
from tts_book.audio.mp3_frames import (
    CURRENCY,
    DELAY,
    FrameHeader,
    find_frames,
    frames_of,
    is_uniform,
)
from tts_book.errors import AudioError

if TYPE_CHECKING:
    from av import AudioFrame
    from pydub import AudioSegment

# A decoder that begins in the middle of a stream hears nothing of the first frames; sound that
# lacks more than these was cut.
_FRAME_BYTES = CURRENCY.frame_bytes


@dataclass(frozen=True, slots=True)
class Intake:
    """Whole frames of the one format, and what the sound was like before.

    `format` describes another format ("" where frames were copied); `odd_bytes` is how many bytes
    at its end (or between its frames) are no whole frame; `points_back`: its first frame needs
    earlier ones; `cuts` counts the frames inside whose data begin in frames that are not there.
    """

    frames: bytes
    format: str = ""
    odd_bytes: int = 0
    points_back: bool = False
    cuts: int = 0


@dataclass(slots=True)
class _Stream:
    """The frames of an MP3 stream, without tags and notices."""

    headers: list[FrameHeader] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    odd_bytes: int = 0


def take_in(data: bytes) -> Intake:
    """The sound in `data`: MP3 of any kind, or any container and codec that can be decoded.
    Raises AudioError where no sound can be made of it."""
    if _is_currency(data):
        cuts, back = _count_cuts(data)
        return Intake(data if not back else _begin_afresh(data), "", 0, back, cuts)
    stream = _read_stream(data)
    if not stream.frames or stream.odd_bytes > len(data) // 2:
        return Intake(encode(_decode(data), CURRENCY.rate_hz), _name_container(data))
    joined = b"".join(stream.frames)
    if _is_currency(joined):
        cuts, back = _count_cuts(joined)
        frames = joined if not back else _begin_afresh(joined)
        return Intake(frames, "", stream.odd_bytes, back, cuts)
    back = stream.headers[0].points_back(stream.frames[0]) > 0
    pcm = _decode_mp3(joined)[DELAY * 2 :]
    frames = encode(pcm, CURRENCY.rate_hz)
    return Intake(frames, _name_format(stream.headers), stream.odd_bytes, back)


def _is_currency(data: bytes) -> bool:
    """Whether these are frames as they are kept, and nothing else."""
    if not is_uniform(data, CURRENCY):
        return False
    return not any(name in data for name in (b"Xing", b"Info", b"VBRI", b"LAME3.100\x01"))


def _read_stream(data: bytes) -> _Stream:
    stream, at = _Stream(), 0
    for begin, stop, header in find_frames(data):
        stream.odd_bytes += begin - at
        at = stop
        if header is not None:
            stream.headers.append(header)
            stream.frames.append(data[begin:stop])
    stream.odd_bytes += len(data) - at
    return stream


def _main_data(frames: bytes) -> Iterator[tuple[int, int]]:
    """Of every frame of the one format: how many bytes back its data begin, and their bits."""
    columns = (frames[at::_FRAME_BYTES] for at in (4, 5, 6))
    return ((a, (b & 0x7F) << 5 | c >> 3) for a, b, c in zip(*columns, strict=True))


def _count_cuts(frames: bytes) -> tuple[int, bool]:
    """Frames inside whose data begin before what the frames in front of them left free, and
    whether the first frame does."""
    free = cuts = 0
    back = frames[4] > 0
    for number, (begin, bits) in enumerate(_main_data(frames)):
        cuts += begin > free and number > 0 and not (back and number == 1)
        free = max(0, begin + CURRENCY.main_bytes - (bits + 7) // 8)
    return cuts, back


def _begin_afresh(frames: bytes) -> bytes:
    """Frames whose first ones need others that never came: silence in the place of what no
    decoder can play, if that is the first alone, else all of it encoded again."""
    if len(frames) > _FRAME_BYTES and frames[_FRAME_BYTES + 4] == 0:
        return CURRENCY.silence + frames[_FRAME_BYTES:]
    return encode(_decode_mp3(frames)[DELAY * 2 :], CURRENCY.rate_hz)


def _decode_mp3(frames: bytes) -> bytes:
    pcm = _decode(frames, "mp3")
    if len(pcm) <= DELAY * 2:
        raise AudioError("There is no sound in it.")
    return pcm


def _decode(data: bytes, container: str | None = None) -> bytes:
    """PCM of sound in any container (MP3, WAVE, Ogg, WebM, FLAC, MP4 and so on)."""
    import av

    made: list[bytes] = []
    resampler = av.AudioResampler(format="s16", layout="mono", rate=CURRENCY.rate_hz)
    try:
        with av.open(io.BytesIO(data), "r", format=container) as source:
            if source.format.name == "mp3" and container is None:
                raise AudioError("These are not whole MP3 frames.")
            for frame in source.decode(audio=0):
                made += [_samples(part) for part in resampler.resample(frame)]
        made += [_samples(part) for part in resampler.resample(None)]
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise AudioError(f"This sound cannot be decoded ({error}).") from error
    pcm = b"".join(made)
    if not pcm:
        raise AudioError("There is no sound in it.")
    return pcm


def _samples(frame: AudioFrame) -> bytes:
    samples: bytes = frame.to_ndarray().astype("<i2").tobytes()
    return samples


def _name_format(headers: list[FrameHeader]) -> str:
    header = Counter(headers).most_common(1)[0][0]
    channels = "mono" if header.channels == 1 else "stereo"
    checksums = ", with checksums" if header.checksum else ""
    return f"MP3 of {header.kbps} kbit/s, {header.rate_hz / 1_000:g} kHz, {channels}{checksums}"


def _name_container(data: bytes) -> str:
    known = {b"RIFF": "WAVE", b"OggS": "Ogg", b"\x1a\x45\xdf\xa3": "WebM", b"fLaC": "FLAC"}
    return known.get(data[:4], "another format than MP3")


# PCM ----------------------------------------------------------------------------------------------

SAMPLE_BYTES = 2
# LAME's scale. PESQ of the joe voice at 48 kbit/s: 4.37 at 7, 4.40 at 5, 4.36 at 2; 5 takes twice
# the time, 2 four times. What encoding takes, an engine on this machine does not get.
_QUALITY = 7
_HEADROOM_DB = 1.0  # encoding adds a little to a peak


def encode(pcm: bytes, rate_hz: int) -> bytes:
    """Whole MP3 frames (24 kHz, mono, 48 kbit/s) of PCM at any rate. What was first in the PCM is
    heard 1,105 samples later; the last frame lies after its end. Raises AudioError."""
    _check(pcm)
    import lameenc

    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(CURRENCY.rate_hz)
    encoder.set_out_sample_rate(CURRENCY.rate_hz)
    encoder.set_bit_rate(CURRENCY.kbps)
    encoder.set_quality(_QUALITY)
    try:
        made = bytes(encoder.encode(_resampled(pcm, rate_hz))) + bytes(encoder.flush())
    except (RuntimeError, ValueError) as error:
        raise AudioError(f"LAME cannot encode sound at {rate_hz} Hz: {error}") from error
    return frames_of(made)


def _resampled(pcm: bytes, rate_hz: int) -> bytes:
    """The same at the rate of our frames; LAME's own resampler takes four times as long."""
    if rate_hz == CURRENCY.rate_hz:
        return pcm
    import av
    import numpy as np

    try:
        resampler = av.AudioResampler("s16", "mono", CURRENCY.rate_hz)
        samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = rate_hz
        made = (*resampler.resample(frame), *resampler.resample(None))
        return b"".join(each.to_ndarray().tobytes() for each in made)
    except (av.FFmpegError, OverflowError) as error:
        raise AudioError(f"Sound at {rate_hz} Hz cannot be resampled: {error}") from error


def trim_pcm(
    pcm: bytes, rate_hz: int, *, keep_ms: int = 250, fade_ms: int = 4, gain_db: float = 0.0
) -> bytes:
    """PCM as an engine made it, with the silence at its end cut to `keep_ms`, with short fades so
    that neither end clicks, its highest peaks rounded off, and louder by `gain_db` as far as it
    does not clip.

    The start is not cut, so that marks stay where they were. Raises AudioError.
    """
    _check(pcm)
    pcm = round_off(pcm, rate_hz)
    sound = _pydub().AudioSegment(data=pcm, sample_width=2, frame_rate=rate_hz, channels=1)
    sound = sound[: len(sound) - max(0, _silence_at_end_ms(sound) - keep_ms)]
    room_db = max(
        0.0, -_HEADROOM_DB - sound.max_dBFS
    )  # minus infinity in silence: any gain will do
    sound = sound.apply_gain(min(gain_db, room_db)) if gain_db else sound
    trimmed: bytes = sound.fade_in(fade_ms).fade_out(fade_ms).raw_data
    return trimmed


def _silence_at_end_ms(sound: AudioSegment) -> int:
    from pydub.silence import detect_leading_silence

    silent_ms: int = detect_leading_silence(sound.reverse(), silence_threshold=-60.0)
    return silent_ms


@functools.cache
def _pydub() -> Any:
    """pydub, which warns on import where there is no ffmpeg: nothing here needs one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pydub
    return pydub


def _check(pcm: bytes) -> None:
    if not pcm or len(pcm) % SAMPLE_BYTES:
        raise AudioError(f"{len(pcm)} bytes are not 16-bit sound.")
