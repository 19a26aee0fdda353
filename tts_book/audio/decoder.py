"""Decodes into samples: the frames of a chunk at once, finished files of any format block by block,
and stretches of these as recognisers want them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tts_book.audio.mp3_files import read_blocks
from tts_book.audio.mp3_frames import CURRENCY, DELAY, Format, format_at, is_uniform
from tts_book.audio.mp4 import M4bIndex, read_m4b_index, read_m4b_packets
from tts_book.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 256  # frames handed to the decoder in one packet: one by one costs twice the time


class FrameDecoder:
    """Decodes whole frames that follow one another, in pieces of any size. Samples are mono,
    16 bit; one frame gives one frame's samples."""

    def __init__(self) -> None:
        import av

        # The decoder in floating point: as fast as the other, and rounded once.
        self._codec: Any = av.CodecContext.create("mp3float", "r")

    def decode(self, frames: bytes, frame_bytes: int) -> NDArray[np.int16]:
        """The samples of more frames. Raises AudioError."""
        import numpy as np

        heard = [_rounded(floats) for floats in self._packets(frames, frame_bytes)]
        return np.concatenate([np.empty(0, np.int16), *heard])

    def find_peaks(self, frames: bytes, form: Format) -> NDArray[np.float32]:
        """The highest absolute value of each frame, where 1.0 is full scale, which it may exceed.
        Raises AudioError."""
        import numpy as np

        packets = self._packets(frames, form.frame_bytes)
        found = [np.abs(floats).reshape(-1, form.samples).max(axis=1) for floats in packets]
        return np.concatenate([np.empty(0, np.float32), *found])

    def _packets(self, frames: bytes, frame_bytes: int) -> Iterator[NDArray[np.float32]]:
        import av
        import numpy as np

        size = _AT_ONCE * frame_bytes
        try:
            for at in range(0, len(frames), size):
                packet = av.Packet(frames[at : at + size])
                planes = [bytes(frame.planes[0]) for frame in self._codec.decode(packet)]
                yield np.frombuffer(b"".join(planes), np.float32)
        except av.FFmpegError as error:
            raise AudioError(f"The sound cannot be decoded: {error.strerror}") from error


def _rounded(floats: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples of 16 bit, packet by packet: the copies on the way are small ones."""
    import numpy as np

    scaled = floats * np.float32(32_768.0)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -32_768, 32_767, out=scaled)
    return scaled.astype(np.int16)


def decode(frames: bytes) -> tuple[bytes, int]:
    """PCM and its rate. One frame gives one frame's samples. Raises AudioError where the bytes
    are not whole frames, or the decoder could not make sound of all of them."""
    form = format_at(frames)
    if not is_uniform(frames, form):
        raise AudioError("These are not whole MP3 frames of one kind.")
    samples = FrameDecoder().decode(frames, form.frame_bytes)
    expected = len(frames) // form.frame_bytes * form.samples
    if len(samples) != expected:
        raise AudioError(f"Only {len(samples)} of {expected} samples can be decoded.")
    return samples.tobytes(), form.rate_hz


def decode_mp3(path: Path) -> Iterator[NDArray[np.int16]]:
    """Blocks of a finished file's samples: mono at 24 kHz, without the decoder's delay where the
    file tells it. Raises AudioError for what is no such MP3."""
    decoder = FrameDecoder()
    late: int | None = None
    for span, frames in read_blocks(path):
        if span.form.rate_hz != CURRENCY.rate_hz:
            raise AudioError(f"{path} has sound at {span.form.rate_hz} Hz.")
        late = late if late is not None else DELAY * span.info
        samples = decoder.decode(frames, span.form.frame_bytes)
        yield samples[late:]
        late = max(0, late - len(samples))


def decode_any(path: Path) -> Iterator[NDArray[np.int16]]:
    """Blocks of any audio file's samples, mono at 24 kHz. Raises AudioError."""
    import numpy as np

    # A decoder gives some thousandths of a second at a time: too little to be worth a step.
    waiting: list[NDArray[np.int16]] = []
    index = read_m4b_index(path)
    for samples in _decode_m4b(path, index) if index else _read_any(path, "s16", CURRENCY.rate_hz):
        waiting.append(samples)
        if sum(map(len, waiting)) >= CURRENCY.rate_hz:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting)


def _decode_m4b(path: Path, index: M4bIndex) -> Iterator[NDArray[np.int16]]:
    """The samples of each packet, without those that an encoder puts before the sound."""
    import av
    import numpy as np

    codec: Any = av.CodecContext.create("aac", "r")
    codec.extradata = index.track.config
    resampler = av.AudioResampler("s16", "mono", CURRENCY.rate_hz)
    early = index.track.delay * CURRENCY.rate_hz // index.track.rate_hz
    packets = chain.from_iterable(read_m4b_packets(path, index, _AT_ONCE))
    try:
        for packet in chain(packets, [None]):
            frames = codec.decode(av.Packet(packet) if packet is not None else None)
            for same in chain.from_iterable(map(resampler.resample, frames)):
                samples = np.asarray(same.to_ndarray()[0])
                yield samples[early:]
                early = max(0, early - len(samples))
    except av.FFmpegError as error:
        raise AudioError(f"{path} cannot be decoded: {error.strerror}") from error


def _read_any(source: Path | BinaryIO, sample_format: str, rate_hz: int) -> Iterator[NDArray[Any]]:
    """Mono samples in any container, frame by frame."""
    import av
    import numpy as np

    resampler = av.AudioResampler(sample_format, "mono", rate_hz)
    name, what = ("The sound", source) if not isinstance(source, Path) else (source, str(source))
    try:
        with av.open(what, "r") as file:
            for frame in chain(file.decode(audio=0), [None]):
                for same in resampler.resample(frame):
                    yield np.asarray(same.to_ndarray()[0])
    except (av.FFmpegError, IndexError) as error:
        raise AudioError(f"{name} cannot be decoded: {error}") from error


# As recognisers want it: 16 kHz, floating point ---------------------------------------------------

SPEECH_RATE_HZ = 16_000


def read_stretches(
    path: Path, stretches: Iterable[tuple[int, int]]
) -> Iterator[NDArray[np.float32]]:
    """The samples of each stretch (start and stop in ms, by their start; they may overlap), decoded
    in one pass: no more than one stretch is held. A stretch beyond the end is shorter, or empty.
    Raises AudioError for a file that cannot be decoded."""
    import numpy as np

    blocks = _read_any(path, "flt", SPEECH_RATE_HZ)
    held, begin = np.empty(0, np.float32), 0  # `held` begins at sample `begin`
    for start_ms, stop_ms in stretches:
        start, stop = start_ms * SPEECH_RATE_HZ // 1_000, stop_ms * SPEECH_RATE_HZ // 1_000
        gone = max(0, min(start - begin, len(held)))
        held, begin = held[gone:], begin + gone
        parts, size = [held], len(held)
        while begin + size < stop:
            block = next(blocks, None)
            if block is None:
                break
            if begin + size + len(block) <= start:  # before the stretch: let go of at once
                begin, size, parts = begin + size + len(block), 0, []
                continue
            parts.append(block)
            size += len(block)
        held = np.concatenate(parts) if parts else np.empty(0, np.float32)
        yield held[max(0, start - begin) : max(0, stop - begin)]


def read_length_ms(path: Path) -> int:
    """How long a file says it is. Raises AudioError."""
    import av

    try:
        with av.open(str(path), "r") as container:
            stream = container.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                return round(stream.duration * stream.time_base * 1_000)
            return (container.duration or 0) // 1_000
    except (av.FFmpegError, IndexError) as error:
        raise AudioError(f"{path} cannot be decoded: {error}") from error


def read_samples(source: BinaryIO) -> NDArray[np.float32]:
    """All samples of a sound in memory. Raises AudioError."""
    import numpy as np

    return np.concatenate([np.empty(0, np.float32), *_read_any(source, "flt", SPEECH_RATE_HZ)])
