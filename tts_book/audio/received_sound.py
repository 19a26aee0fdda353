"""Sound that other programs wrapped: WAV, MP3, FLAC, Ogg and AAC into PCM.

Its kind is told by its first bytes, whatever was announced, and whether it is whole by the
container itself, whatever its length field says: servers that stream write that field before they
know the length.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tts_book.audio.mp3_frames import find_frame_bytes
from tts_book.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A length field of a stream: nothing, or all the field can hold (less what players subtract).
_UNKNOWN_LENGTHS = 0x7FFF_0000
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FULL_SCALE = 32_768
_WINDOW_MS = 10
_SILENT_DBFS = -50.0
# Speech that stops, stops within a few windows; sound that is cut is as loud at its end as before.
_END_MS, _CUT_DB = 20, 14.0
_ID3_BYTES = 128
_OGG_HEADER = struct.Struct("<4sBBqIIIB")
_OGG_ENDS = 4


@dataclass(frozen=True, slots=True)
class ReceivedSound:
    """Mono 16-bit little-endian PCM, and what of it is missing ("" if it is whole)."""

    pcm: bytes
    rate_hz: int
    missing: str = ""


def read_sound(data: bytes) -> ReceivedSound:
    """The sound in `data`. Raises AudioError for what is no sound, or cannot be decoded."""
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return _read_wav(data)
    checks: dict[str, Callable[[bytes], str]] = {
        "mp3": _mp3_missing,
        "ogg": _ogg_missing,
        "flac": lambda _: "",
        "aac": _adts_missing,
    }
    kind = _kind(data)
    if not kind:
        raise AudioError("This is not a known kind of sound: neither WAV, MP3, FLAC, Ogg nor AAC.")
    pcm, rate_hz, expected = _decode(data, kind)
    missing = checks[kind](data)
    if not missing and expected and len(pcm) // 2 < expected:
        missing = f"{len(pcm) // 2} of {expected} samples"
    return ReceivedSound(pcm, rate_hz, missing)


@dataclass(frozen=True, slots=True)
class SpeechShape:
    """What of a sound matters here, in ms. `ends_loud`: its last window is as loud as speech."""

    length_ms: int
    begins_ms: int
    ends_ms: int
    longest_silence_ms: int
    ends_loud: bool

    @property
    def spoken_ms(self) -> int:
        """From the first sound to the last."""
        return self.ends_ms - self.begins_ms

    @property
    def has_speech(self) -> bool:
        """Whether anything is louder than silence."""
        return self.ends_ms > self.begins_ms


def measure_speech(pcm: bytes, rate_hz: int) -> SpeechShape:
    """The shape of mono 16-bit PCM."""
    import numpy as np

    size = max(1, rate_hz * _WINDOW_MS // 1_000)
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    length_ms = len(samples) * 1_000 // rate_hz
    count = len(samples) // size
    levels: NDArray[np.float64] = np.full(0, -120.0)
    if count:
        # From the end, so that the last window is whole.
        rows = samples[len(samples) - count * size :].reshape(count, size)
        levels = 10 * np.log10(np.maximum(np.mean(rows**2, axis=1), 1e-3) / 32_768**2)
    loud = np.flatnonzero(levels > _SILENT_DBFS)
    if not len(loud):
        return SpeechShape(length_ms, 0, 0, 0, ends_loud=False)
    speech_db = float(np.median(levels[loud]))
    last_db = float(levels[-(_END_MS // _WINDOW_MS) :].min())
    gaps = np.diff(loud) - 1
    return SpeechShape(
        length_ms,
        int(loud[0]) * _WINDOW_MS,
        (int(loud[-1]) + 1) * _WINDOW_MS,
        int(gaps.max(initial=0)) * _WINDOW_MS,
        ends_loud=last_db > speech_db - _CUT_DB,
    )


def change_volume(sound: ReceivedSound, volume_pct: int) -> ReceivedSound:
    """The same sound, louder or softer; 0 changes nothing."""
    if not volume_pct:
        return sound
    import numpy as np

    factor = max(0.0, 1 + volume_pct / 100)
    samples = np.frombuffer(sound.pcm, "<i2").astype(np.float64) * factor
    return replace(sound, pcm=_rounded(samples))


def _kind(data: bytes) -> str:
    if data[:4] == b"OggS":
        return "ogg"
    if data[:4] == b"fLaC":
        return "flac"
    if data[:3] == b"ID3":
        return "mp3"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "aac" if data[1] & 0x06 == 0 else "mp3"
    return ""


def _decode(data: bytes, kind: str) -> tuple[bytes, int, int]:
    """PCM, its rate, and how many samples the container says there are (0: it does not)."""
    import av

    pieces: list[bytes] = []
    try:
        with av.open(io.BytesIO(data), "r", format=kind) as container:
            stream = container.streams.audio[0]
            rate_hz = int(stream.rate)
            resampler = av.AudioResampler("s16", "mono", rate_hz)
            frames: list[Any] = [*container.decode(stream)]
            for frame in (*frames, None):
                pieces += (made.to_ndarray().tobytes() for made in resampler.resample(frame))
            expected = 0
            if kind == "flac" and stream.duration and stream.time_base:
                expected = round(stream.duration * stream.time_base * rate_hz)
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise AudioError(f"The sound cannot be decoded: {error}") from error
    return b"".join(pieces), rate_hz, expected


def _mp3_missing(data: bytes) -> str:
    at = 0
    if data[:3] == b"ID3" and len(data) >= 10:
        at = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
    end = len(data)
    if data[-_ID3_BYTES:][:3] == b"TAG":
        end -= _ID3_BYTES
    while at < end:
        size = find_frame_bytes(data, at)
        if not size:
            return ""  # something else begins here: the decoder has coped with it
        at += size
    return "" if at == end else f"the last frame lacks {at - end} bytes"


def _adts_missing(data: bytes) -> str:
    at = 0
    while at + 6 < len(data) and data[at] == 0xFF:
        at += max(7, (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5)
    return "" if at == len(data) else f"the last frame lacks {abs(at - len(data))} bytes"


def _ogg_missing(data: bytes) -> str:
    at, ended = 0, False
    while at + _OGG_HEADER.size <= len(data):
        magic, _, flags, *_, segments = _OGG_HEADER.unpack_from(data, at)
        if magic != b"OggS":
            break
        table = data[at + _OGG_HEADER.size : at + _OGG_HEADER.size + segments]
        at += _OGG_HEADER.size + segments + sum(table)
        ended = bool(flags & _OGG_ENDS)
    if at > len(data):
        return f"the last page lacks {at - len(data)} bytes"
    return "" if ended else "the last page"


def _read_wav(data: bytes) -> ReceivedSound:
    """One WAV file, or several in a row, as some servers send a stream of sentences."""
    sounds: list[bytes] = []
    form: _WavForm | None = None
    at, missing = 0, ""
    while data[at : at + 4] in (b"RIFF", b"RF64") and data[at + 8 : at + 12] == b"WAVE":
        form, start, stop, missing = _find_wav_data(data, at)
        sounds.append(_to_pcm(data[start:stop], form))
        at = stop
    if form is None:
        raise AudioError("The WAV file has no sound.")
    return ReceivedSound(b"".join(sounds), form.rate_hz, missing)


@dataclass(frozen=True, slots=True)
class _WavForm:
    code: int
    channels: int
    rate_hz: int
    bits: int


def _find_wav_data(data: bytes, at: int) -> tuple[_WavForm, int, int, str]:
    """The form of the WAV file at `at`, where its samples begin and end, and what is missing."""
    form: _WavForm | None = None
    at += 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        start = at + 8
        if name == b"fmt ":
            form = _read_form(data[start : start + size])
        elif name == b"data":
            if form is None:
                break
            rest = len(data) - start
            if size == 0 or size >= _UNKNOWN_LENGTHS:
                another = data.find(b"WAVEfmt ", start)
                return form, start, another - 8 if another > 0 else len(data), ""
            if size > rest:
                return form, start, len(data), f"{size - rest} of {size} bytes"
            stop = start + size + size % 2
            following = data[stop : stop + 4]
            is_chunk = not following or following == b"RIFF" or following.isalnum()
            return form, start, start + size if is_chunk else len(data), ""
        at = start + size + size % 2
    raise AudioError("The WAV file has no sound.")


def _read_form(chunk: bytes) -> _WavForm:
    if len(chunk) < 16:
        raise AudioError("The WAV file does not say what its samples are.")
    code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE and len(chunk) >= 26:
        code = int.from_bytes(chunk[24:26], "little")
    known = (code == _PCM and bits in (8, 16, 24, 32)) or (code == _FLOAT and bits in (32, 64))
    if not known or not channels or not 4_000 <= rate_hz <= 384_000:
        raise AudioError(f"WAV of kind {code} with {bits} bits, {channels} channels, {rate_hz} Hz.")
    return _WavForm(code, channels, rate_hz, bits)


def _to_pcm(raw: bytes, form: _WavForm) -> bytes:
    frame_bytes = form.channels * form.bits // 8
    samples = _as_floats(raw[: len(raw) - len(raw) % frame_bytes], form)
    return _rounded(samples.reshape(-1, form.channels).mean(axis=1))


def _rounded(samples: NDArray[np.float64]) -> bytes:
    import numpy as np

    whole = np.clip(np.round(samples), -_FULL_SCALE, _FULL_SCALE - 1)
    return bytes(whole.astype("<i2").tobytes())


def _as_floats(raw: bytes, form: _WavForm) -> NDArray[np.float64]:
    """Samples in units of 16 bits."""
    import numpy as np

    if form.code == _FLOAT:
        floats = np.frombuffer(raw, f"<f{form.bits // 8}").astype(np.float64)
        return np.nan_to_num(floats) * _FULL_SCALE
    if form.bits == 8:
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) * 256
    if form.bits == 24:
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return padded.reshape(-1).view("<i4").astype(np.float64) / 65_536
    whole = np.frombuffer(raw, f"<i{form.bits // 8}").astype(np.float64)
    return whole if form.bits == 16 else whole / 65_536
