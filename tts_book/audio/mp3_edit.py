"""Changes to MP3 frames that need no decoder and lose nothing: cuts, gain, a stream's header.

A frame's sound may begin in the bytes of earlier frames (the reservoir), so a stream cannot
simply begin in the middle. A *carrier* is a silent frame that holds what the first kept frame
needs: it takes the place of a frame of silence, and what follows decodes as it always did.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tts_book.audio.mp3_frames import Format, points_back
from tts_book.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GAIN_STEP_DB = 1.50515  # a quarter of a doubling: 20 * log10(2 ** 0.25)
ENCODER_DELAY = 576
DELAY = ENCODER_DELAY + 529  # samples by which coding and decoding move sound
DELAY_MS = round(DELAY * 1_000 / 24_000)  # the same at the rate that all sound is stored in

_SIZE_BITS = 12  # part2_3_length opens a granule's fields: 0 where nothing sounds
_GAIN_AT = 21  # global_gain stands this many bits further on
_FRAMES, _BYTES, _QUALITY = 1, 2, 8


def most_carriers(form: Format) -> int:
    """How many carriers a cut may need at most."""
    return -(-((1 << form.mdb_bits) - 1) // form.main_bytes)


def carriers(frames: bytes, at: int, form: Format) -> bytes:
    """The silent frames that must come right before frame number `at`, where the frames that
    stood before it are gone. Empty where it needs none."""
    need = points_back(frames, at, form)
    if not need:
        return b""
    count = -(-need // form.main_bytes)
    main = _main_data(frames, at, need, form)
    made = []
    for left in range(count, 0, -1):
        held = need - form.main_bytes * left  # bytes that the carriers before this one hold
        made.append(_carrier(main[max(0, held) : held + form.main_bytes], max(0, held), form))
    return b"".join(made)


def _main_data(frames: bytes, at: int, need: int, form: Format) -> bytes:
    """The last `need` bytes of main data before frame number `at`."""
    size = form.frame_bytes
    first = max(0, at - -(-need // form.main_bytes))
    parts = [frames[n * size + form.main_at : (n + 1) * size] for n in range(first, at)]
    main = b"".join(parts)
    if len(main) < need:
        raise AudioError(f"Frame {at} needs {need} bytes of earlier frames: there are fewer.")
    return main[-need:]


def _carrier(main: bytes, held: int, form: Format) -> bytes:
    frame = bytearray(form.silence)
    if form.mdb_bits == 8:
        frame[4] = held
    else:
        frame[4:6] = (held << 7).to_bytes(2, "big")
    frame[len(frame) - len(main) :] = main
    return bytes(frame)


def is_digital_silence(frames: bytes, form: Format) -> bool:
    """Whether no frame holds any sound, which its size field tells without decoding."""
    table = _table(frames, form)
    return not any(_field(table, granule, _SIZE_BITS).any() for granule in form.granules)


def amplify(frames: bytes, steps: int | NDArray[np.int32], form: Format) -> bytes:
    """The frames made louder (or softer, below 0) by `steps` of GAIN_STEP_DB, all by the same or
    each by its own, exactly and for good: only the gain field of each frame changes. Silent frames
    stay as they are."""
    import numpy as np

    if not frames or not np.any(steps):
        return frames
    table = _table(frames, form).copy()
    for granule in form.granules:
        sounding = _field(table, granule, _SIZE_BITS) > 0
        gain = _field(table, granule + _GAIN_AT, 8)
        changed = np.where(sounding, np.clip(gain + steps, 0, 255), gain)
        byte, bit = divmod(32 + granule + _GAIN_AT, 8)
        pair = table[:, byte].astype(np.int32) << 8 | table[:, byte + 1]
        pair = pair & ~(0xFF << (8 - bit)) | changed << (8 - bit)
        table[:, byte], table[:, byte + 1] = pair >> 8, pair & 0xFF
    return table.tobytes()


def _table(frames: bytes, form: Format) -> NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(frames, np.uint8).reshape(-1, form.frame_bytes)


def _field(table: NDArray[np.uint8], bit_at: int, width: int) -> NDArray[np.int32]:
    """The field of `width` bits (at most 17) at bit `bit_at` of every frame's side information."""
    import numpy as np

    byte, bit = divmod(32 + bit_at, 8)
    high, middle, low = (table[:, byte + n].astype(np.int32) for n in range(3))
    return (high << 16 | middle << 8 | low) >> (24 - bit - width) & ((1 << width) - 1)


def info_frame(form: Format, frames: int) -> bytes:
    """The frame that stands before `frames` others and tells players how many they are and how
    much of the start a decoder's delay adds. Empty where the format leaves no room for it."""
    tag = _info_tag(form, frames)
    return form.header + bytes(form.side_bytes) + tag if tag else b""


def _info_tag(form: Format, frames: int) -> bytes:
    all_bytes = (frames + 1) * form.frame_bytes
    flags = _FRAMES | _BYTES | _QUALITY
    head = struct.pack(">4sIIII", b"Info", flags, frames, all_bytes, 50)
    # "LAME" is the name by which players know that delay and padding follow.
    lame = b"LAME3.100" + b"\x01" + bytes(10) + bytes([min(form.kbps, 255)])
    delay_and_padding = (ENCODER_DELAY << 12).to_bytes(3, "big")
    rest = bytes(4) + struct.pack(">I", all_bytes) + bytes(2)
    before = form.header + bytes(form.side_bytes) + head + lame + delay_and_padding + rest
    whole = before[form.main_at :] + struct.pack(">H", crc16(before))
    return whole.ljust(form.main_bytes, b"\0") if len(whole) <= form.main_bytes else b""


def crc16(data: bytes) -> int:
    """The checksum of LAME tags: polynomial 0xA001, reflected, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
