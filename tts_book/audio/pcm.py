"""PCM becomes MP3 frames, once; before that its ends are tidied.

PCM is mono, signed 16 bit, little endian.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

from tts_book.audio.limiter import round_off
from tts_book.audio.mp3_frames import CURRENCY, frames_of
from tts_book.errors import AudioError

if TYPE_CHECKING:
    from pydub import AudioSegment

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
