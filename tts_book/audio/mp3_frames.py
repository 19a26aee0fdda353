"""MP3 frames, without a decoder: what a header says, which bytes are whole frames, silence; and
changes that lose nothing: cuts, gain, a stream's header.

A stream here is bytes of whole Layer III frames that are all of one size, so that frame `n`
stands at `n * frame_bytes`. Only mono without checksums is carried; the rest is refused by name.

A frame's sound may begin in the bytes of earlier frames (the reservoir), so a stream cannot
simply begin in the middle. A *carrier* is a silent frame that holds what the first kept frame
needs: it takes the place of a frame of silence, and what follows decodes as it always did.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tts_book.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LAYER_3 = 1
_MPEG_1, _MPEG_2, _MPEG_25 = 3, 2, 0
_RATES_HZ = {
    _MPEG_1: (44_100, 48_000, 32_000),
    _MPEG_2: (22_050, 24_000, 16_000),
    _MPEG_25: (11_025, 12_000, 8_000),
}
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_ID3V1_BYTES = 128
_MONO = bytes(range(0xC0, 0x100))  # what the fourth byte of a header may be
_HEADER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Format:
    """What one frame header says. `header` are its four bytes, `side_bytes` the side information
    that follows them; `mdb_bits` is the width of the field that points back into earlier frames,
    `granules` the bit offsets in the side information where each granule's fields begin."""

    header: bytes
    frame_bytes: int
    samples: int
    rate_hz: int
    kbps: int
    side_bytes: int
    mdb_bits: int
    granules: tuple[int, ...]

    @property
    def main_at(self) -> int:
        """Where in a frame its main data begins."""
        return _HEADER_BYTES + self.side_bytes

    @property
    def main_bytes(self) -> int:
        """How much main data a frame has room for."""
        return self.frame_bytes - self.main_at

    @property
    def silence(self) -> bytes:
        """A frame of digital silence."""
        return self.header + bytes(self.frame_bytes - _HEADER_BYTES)

    def frames_in(self, ms: float) -> int:
        """How many frames come nearest to `ms`."""
        return round(ms * self.rate_hz / (self.samples * 1_000))


def format_at(data: bytes, at: int = 0) -> Format:
    """What the header at byte `at` says. Raises AudioError where that is no mono Layer III frame
    without checksum."""
    header = data[at : at + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[0] != 0xFF or header[1] < 0xE0:
        raise AudioError(f"This is not MP3: no frame begins at byte {at}.")
    version = header[1] >> 3 & 3
    kbps_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if not find_frame_bytes(data, at):
        raise AudioError(f"This is not MPEG Layer III: header {header.hex()} at byte {at}.")
    if header[3] >> 6 != 3:
        raise AudioError("The sound is stereo; one channel is expected.")
    if not header[1] & 1:
        raise AudioError("The frames carry checksums, which joining would break.")
    first = version == _MPEG_1
    kbps = (_KBPS_1 if first else _KBPS_2)[kbps_index]
    rate_hz = _RATES_HZ[version][rate_index]
    return Format(
        header=header,
        frame_bytes=find_frame_bytes(data, at),
        samples=1_152 if first else 576,
        rate_hz=rate_hz,
        kbps=kbps,
        side_bytes=17 if first else 9,
        mdb_bits=9 if first else 8,
        granules=(18, 77) if first else (9,),
    )


def find_frame_bytes(data: bytes, at: int) -> int:
    """How long the frame at byte `at` is, of any MPEG Layer III form; 0 where none begins."""
    found = _frame_at(data, at)
    return found[1] if found else 0


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the header of any Layer III frame says, also of those that cannot be carried."""

    version: int
    kbps: int
    rate_hz: int
    channels: int
    checksum: bool

    def points_back(self, frame: bytes) -> int:
        """How many bytes of earlier frames' main data `frame` begins with."""
        at = _HEADER_BYTES + 2 * self.checksum
        first: int = frame[at]
        return first << 1 | frame[at + 1] >> 7 if self.version == _MPEG_1 else first

    @property
    def main_at(self) -> int:
        """Where in a frame its main data begins."""
        wide, narrow = (32, 17) if self.version == _MPEG_1 else (17, 9)
        side = narrow if self.channels == 1 else wide
        return _HEADER_BYTES + 2 * self.checksum + side


def find_frames(data: bytes) -> Iterator[tuple[int, int, FrameHeader | None]]:
    """The Layer III frames of a stream of any kind, each from byte to byte with its header, in
    order; tags and frames that only describe the stream have None. Bytes between two of these are
    none of them. A frame counts where another, a tag or the end follows it."""
    at, stop = 0, len(data)
    if data[-_ID3V1_BYTES : -_ID3V1_BYTES + 3] == b"TAG":
        stop -= _ID3V1_BYTES
    while at < stop:
        if (after := _past_tags(data, at)) > at:
            yield at, min(after, stop), None
            at = after
            continue
        found = _frame_at(data, at)
        if found is None or at + found[1] > stop or not _follows(data, at + found[1], stop):
            at += 1
            continue
        header, size = found
        yield at, at + size, None if _only_describes(data, at, header) else header
        at += size
    if stop < len(data):
        yield stop, len(data), None


def _frame_at(data: bytes, at: int) -> tuple[FrameHeader, int] | None:
    """The header at byte `at` and the size of its frame; None where no frame begins."""
    header = data[at : at + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbps_index, rate_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer != _LAYER_3 or kbps_index in (0, 15) or rate_index == 3:
        return None
    first = version == _MPEG_1
    kbps = (_KBPS_1 if first else _KBPS_2)[kbps_index]
    rate_hz = _RATES_HZ[version][rate_index]
    size = (144 if first else 72) * kbps * 1_000 // rate_hz + padding
    channels = 1 if header[3] >> 6 == 3 else 2
    return FrameHeader(version, kbps, rate_hz, channels, not header[1] & 1), size


def _follows(data: bytes, at: int, stop: int) -> bool:
    """Whether a frame that ends at byte `at` is followed as a frame should be: a stream that is
    cut in its last frame has some bytes of it there."""
    return (
        at + _HEADER_BYTES > stop or _frame_at(data, at) is not None or data[at : at + 3] == b"ID3"
    )


def _only_describes(data: bytes, at: int, header: FrameHeader) -> bool:
    main = at + header.main_at
    if any(data[at + _HEADER_BYTES + 2 * header.checksum : main]):
        return False
    return data[main : main + 4] in (b"Xing", b"Info") or data[at + 36 : at + 40] == b"VBRI"


# What `encode` makes and the online service sends: 24 kHz, mono, 48 kbit/s, 24 ms a frame.
CURRENCY = format_at(bytes.fromhex("fff364c4"))


def silence(ms: int, form: Format = CURRENCY) -> bytes:
    """`ms` of digital silence, to the nearest frame, in the frames that `encode` makes or in those
    of another format."""
    return form.silence * form.frames_in(ms)


def is_uniform(frames: bytes, form: Format) -> bool:
    """Whether `frames` are whole frames that all look like `form`. Looks at every header."""
    size = form.frame_bytes
    count, rest = divmod(len(frames), size)
    if rest or not count:
        return False
    return (
        frames[0::size] == form.header[0:1] * count
        and frames[1::size] == form.header[1:2] * count
        and frames[2::size] == form.header[2:3] * count
        and not frames[3::size].translate(None, _MONO)
    )


def points_back(frames: bytes, at: int, form: Format) -> int:
    """How many bytes of earlier frames' main data frame number `at` begins with."""
    byte = at * form.frame_bytes + _HEADER_BYTES
    if form.mdb_bits == 8:
        return frames[byte]
    return frames[byte] << 1 | frames[byte + 1] >> 7


def frames_of(data: bytes) -> bytes:
    """The frames of an MP3 stream as services send it: ID3 tags and Xing, Info or VBRI frames
    are left out, wherever they stand.

    Raises AudioError for a stream that is cut (in its last frame, or before its first), that is
    not mono Layer III of one bit rate and sample rate, or that holds anything else.
    """
    stop = len(data)
    if data[-_ID3V1_BYTES : -_ID3V1_BYTES + 3] == b"TAG":
        stop -= _ID3V1_BYTES
    at = _past_tags(data, 0)
    form = format_at(data, at)
    while _is_notice(data, at, form):
        at = _past_tags(data, at + form.frame_bytes)
        form = format_at(data, at)
    frames = data[at:stop]
    if not is_uniform(frames, form) or _may_hold_notice(frames):
        frames = b"".join(_walk(data, at, stop, form))
    if points_back(frames, 0, form):
        raise AudioError("The sound begins in the middle: its first frame needs earlier ones.")
    return frames


def _past_tags(data: bytes, at: int) -> int:
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return at


def _is_notice(data: bytes, at: int, form: Format) -> bool:
    """Whether the frame at byte `at` only tells about the stream. Such a frame says in its side
    information that it holds no sound, so no sound can be taken for one."""
    main = at + form.main_at
    if any(data[at + _HEADER_BYTES : main]):
        return False
    return data[main : main + 4] in (b"Xing", b"Info") or data[at + 36 : at + 40] == b"VBRI"


def _may_hold_notice(frames: bytes) -> bool:
    return any(name in frames for name in (b"Xing", b"Info", b"VBRI"))


def _walk(data: bytes, at: int, stop: int, form: Format) -> list[bytes]:
    found: list[bytes] = []
    while (at := _past_tags(data, at)) < stop:
        here = format_at(data, at)
        after = at + here.frame_bytes
        if after > stop:
            raise AudioError(
                f"The sound is cut: its last frame has {stop - at} of {here.frame_bytes} bytes."
            )
        if not _is_notice(data, at, here):
            _same(here, form, len(found))
            found.append(data[at:after])
        at = after
    return found


def _same(here: Format, form: Format, number: int) -> None:
    if (here.rate_hz, here.frame_bytes) != (form.rate_hz, form.frame_bytes):
        raise AudioError(
            f"The sound is mixed: frame {number} has {here.rate_hz} Hz and {here.frame_bytes} "
            f"bytes, those before it {form.rate_hz} Hz and {form.frame_bytes} bytes."
        )


# Changes that lose nothing ------------------------------------------------------------------------

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
