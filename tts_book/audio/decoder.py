"""Files played as a listener hears them: the sound of a finished MP3, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.audio.mp3_frames import CURRENCY
from tts_book.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 24_000  # samples read at once


def played(path: Path) -> Iterator[NDArray[np.int16]]:
    """Blocks of the file's samples: mono at 24 kHz, without the decoder's delay where the file
    tells it. Raises AudioError for what is no such MP3."""
    import miniaudio
    import numpy as np

    try:
        info = miniaudio.mp3_get_file_info(str(path))
        if (info.nchannels, info.sample_rate) != (1, CURRENCY.rate_hz):
            raise AudioError(f"{path} has {info.nchannels} channels at {info.sample_rate} Hz.")
        for block in miniaudio.mp3_stream_file(str(path), _BLOCK):
            yield np.frombuffer(block, "<i2")
    except miniaudio.DecodeError as error:
        raise AudioError(f"{path} cannot be decoded: {error}") from error
