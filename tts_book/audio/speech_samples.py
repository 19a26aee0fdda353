"""Stretches of a finished file as a recogniser wants them: mono, 16 kHz, floating point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tts_book.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE_HZ = 16_000


def read_stretches(
    path: Path, stretches: Iterable[tuple[int, int]]
) -> Iterator[NDArray[np.float32]]:
    """The samples of each stretch (start and stop in ms, in order, without overlap), decoded in one
    pass: no more than one stretch is held. A stretch beyond the end is shorter, or empty. Raises
    AudioError for a file that cannot be decoded."""
    import numpy as np

    blocks = _decode(path)
    held, begin = np.empty(0, np.float32), 0  # `held` begins at sample `begin`
    for start_ms, stop_ms in stretches:
        start, stop = start_ms * RATE_HZ // 1_000, stop_ms * RATE_HZ // 1_000
        parts = [held]
        size = len(held)
        while begin + size < stop:
            block = next(blocks, None)
            if block is None:
                break
            if begin + size + len(block) <= start:  # before the stretch: let go of at once
                begin, size, parts = begin + size + len(block), 0, []
                continue
            parts.append(block)
            size += len(block)
        samples = np.concatenate(parts) if parts else np.empty(0, np.float32)
        yield samples[max(0, start - begin) : max(0, stop - begin)]
        cut = max(0, min(len(samples), stop - begin))
        held, begin = samples[cut:], begin + cut


def read_samples(source: BinaryIO) -> NDArray[np.float32]:
    """All samples of a sound in memory. Raises AudioError."""
    import numpy as np

    return np.concatenate([np.empty(0, np.float32), *_decode(source)])


def _decode(source: Path | BinaryIO) -> Iterator[NDArray[np.float32]]:
    import av
    import numpy as np

    name = source if isinstance(source, Path) else "The sound"
    try:
        with av.open(str(source) if isinstance(source, Path) else source, "r") as container:
            resampler: Any = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    yield np.frombuffer(part.planes[0], np.float32, part.samples).copy()
            for part in resampler.resample(None):
                yield np.frombuffer(part.planes[0], np.float32, part.samples).copy()
    except (av.FFmpegError, IndexError) as error:
        raise AudioError(f"{name} cannot be decoded: {error}") from error
