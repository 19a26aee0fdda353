"""Ways in which a real service could differ from the simulated one, and do no harm.

A `Difference` changes how texts are spoken (`manner`), which marks go out (`marks`), the bytes of
the sound (`audio`), or how the turn is laid out (`layout`). Several can be combined, and mixed with
faults: a fault strikes the sound and the marks first, then the service shows its habits.
"""

from __future__ import annotations

import copy
import io
import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import lameenc
import numpy as np

from tests import tones
from tests.backends.edge.script import Draft
from tests.backends.edge.sound import FRAME_BYTES, USUAL, Manner, silent_frame, word_frames
from tts_book.audio.mp3_frames import crc16

Item = dict[str, object]
Marks = list[tuple[int, Item]]
SECOND = 10_000_000
# A request that is no prose of the text's own script.
LATIN, NUMBER, FOREIGN = "[A-Za-z]", r"\d", "[\u0370-\u03ff\u4e00-\u9fff]"


@dataclass(frozen=True, slots=True)
class Difference:
    """One habit of a service, by name."""

    name: str
    manner: Callable[[Manner], Manner] = lambda manner: manner
    marks: Callable[[Marks, random.Random], Marks] = lambda marks, chance: marks
    audio: Callable[[bytes], bytes] = lambda audio: audio
    layout: Callable[[Draft], None] = lambda draft: None


def manner_of(differences: Sequence[Difference]) -> Manner:
    """How a service with these habits speaks."""
    manner = USUAL
    for difference in differences:
        manner = difference.manner(manner)
    return manner


def apply(differences: Sequence[Difference], draft: Draft, text: str) -> None:
    """Gives a turn the habits of the service; what is drawn depends on the text alone."""
    for difference in differences:
        draft.marks = difference.marks(copy.deepcopy(draft.marks), random.Random(text))
        if draft.audio:
            draft.audio = difference.audio(draft.audio)
        difference.layout(draft)


# Marks --------------------------------------------------------------------------------------------


def _data(item: Item) -> dict[str, object]:
    data = item["Data"]
    assert isinstance(data, dict)
    return data


def _said(item: Item) -> str:
    text = _data(item)["text"]
    assert isinstance(text, dict)
    return str(text["Text"])


def _is_word(item: Item) -> bool:
    return item["Type"] == "WordBoundary"


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _each(change: Callable[[dict[str, object]], None]) -> Callable[[Marks, random.Random], Marks]:
    """Changes every mark's data."""

    def work(marks: Marks, chance: random.Random) -> Marks:
        for _, item in marks:
            change(_data(item))
        return marks

    return work


def _kept(keep: Callable[[Item, random.Random], bool]) -> Callable[[Marks, random.Random], Marks]:
    """Leaves marks out."""
    return lambda marks, chance: [mark for mark in marks if keep(mark[1], chance)]


def _every(nth: int) -> Callable[[Marks, random.Random], Marks]:
    """Loses every nth mark of a word."""

    def work(marks: Marks, chance: random.Random) -> Marks:
        words = [mark for mark in marks if _is_word(mark[1])]
        lost = {id(mark) for mark in words[nth - 1 :: nth]}
        return [mark for mark in marks if id(mark) not in lost]

    return work


def _shift(seconds: float) -> Callable[[dict[str, object]], None]:
    def change(data: dict[str, object]) -> None:
        data["Offset"] = max(0, _number(data["Offset"]) + round(seconds * SECOND))

    return change


def _stretch(factor: float) -> Callable[[dict[str, object]], None]:
    def change(data: dict[str, object]) -> None:
        data["Offset"] = round(_number(data["Offset"]) * factor)

    return change


def _lasting(factor: float) -> Callable[[dict[str, object]], None]:
    def change(data: dict[str, object]) -> None:
        data["Duration"] = round(_number(data["Duration"]) * factor)

    return change


def _texts(change: Callable[[str], str]) -> Callable[[dict[str, object]], None]:
    def work(data: dict[str, object]) -> None:
        text = data["text"]
        assert isinstance(text, dict)
        text["Text"] = change(str(text["Text"]))

    return work


def _from_sentence(marks: Marks, chance: random.Random) -> Marks:
    """Times count from the beginning of each sentence."""
    begin = 0
    for _, item in marks:
        data = _data(item)
        if not _is_word(item):
            begin = _number(data["Offset"])
        data["Offset"] = max(0, _number(data["Offset"]) - begin)
    return marks


def _from_each(seconds: float) -> Callable[[dict[str, object]], None]:
    """Times start again after so many seconds."""

    def change(data: dict[str, object]) -> None:
        data["Offset"] = _number(data["Offset"]) % round(seconds * SECOND)

    return change


def _unordered(marks: Marks, chance: random.Random) -> Marks:
    """Marks come up to three places from where they belong."""
    order = sorted(range(len(marks)), key=lambda at: at + chance.uniform(0, 3))
    return [marks[at] for at in order]


def _jittered(marks: Marks, chance: random.Random) -> Marks:
    for _, item in marks:
        data = _data(item)
        data["Offset"] = max(0, _number(data["Offset"]) + chance.randint(-600_000, 600_000))
    return marks


def _after_interjection(marks: Marks, chance: random.Random) -> Marks:
    """What follows an interjection is marked a second late."""
    late = 0
    for _, item in marks:
        data = _data(item)
        data["Offset"] = _number(data["Offset"]) + late
        if _is_word(item) and re.fullmatch("Ах|Ох|Эх|Oh|Ah", _said(item)):
            late = SECOND
    return marks


def _whole_number_first(marks: Marks, chance: random.Random) -> Marks:
    """The first mark of a number has the time of all of it, and the others have none."""
    made: Marks = []
    for mark in marks:
        last = made[-1][1] if made else None
        if last and _said(mark[1]).isdigit() and _said(last).isdigit() and _is_word(mark[1]):
            stop = _number(_data(mark[1])["Offset"]) + _number(_data(mark[1])["Duration"])
            _data(last)["Duration"] = stop - _number(_data(last)["Offset"])
            continue
        made.append(mark)
    return made


def _twice(marks: Marks, chance: random.Random) -> Marks:
    return [mark for mark in marks for _ in range(2)]


# Sound --------------------------------------------------------------------------------------------


def _pcm(audio: bytes, rate_hz: int = 24_000) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return tones.play(audio, rate_hz)


def _encoded(kbps: int, rate_hz: int = 24_000, channels: int = 1) -> Callable[[bytes], bytes]:
    """The sound at another bit rate, sample rate or number of channels."""

    def change(audio: bytes) -> bytes:
        pcm = _pcm(audio, rate_hz)
        encoder = lameenc.Encoder()
        encoder.silence()
        encoder.set_bit_rate(kbps)
        encoder.set_in_sample_rate(rate_hz)
        encoder.set_out_sample_rate(rate_hz)
        encoder.set_channels(channels)
        encoder.set_quality(7)
        both = np.repeat(pcm, channels)
        return bytes(encoder.encode(both.tobytes()) + encoder.flush())

    return change


def _noisy(dbfs: float) -> Callable[[bytes], bytes]:
    """Noise of this level lies over all of the sound."""

    def change(audio: bytes) -> bytes:
        pcm = _pcm(audio).astype(np.float64)
        noise = np.random.default_rng(5).normal(0, 32_768 * 10 ** (dbfs / 20), len(pcm))
        noisy = np.clip(pcm + noise, -32_768, 32_767).astype(np.int16)
        encoder = lameenc.Encoder()
        encoder.silence()
        encoder.set_bit_rate(48)
        encoder.set_in_sample_rate(24_000)
        encoder.set_channels(1)
        encoder.set_quality(7)
        return bytes(encoder.encode(noisy.tobytes()) + encoder.flush())[: len(audio)]

    return change


def _main_data(audio: bytes) -> list[bytes]:
    """The main data of each frame of the service's own kind, collected from the reservoir."""
    bits = [(audio[at + 5] & 0x7F) << 5 | audio[at + 6] >> 3 for at in range(0, len(audio), 144)]
    room = FRAME_BYTES - 13
    stream = b"".join(audio[at + 13 : at + 144] for at in range(0, len(audio), 144))
    made = []
    for number, size in enumerate(bits):
        begin = max(0, number * room - audio[number * 144 + 4])
        made.append(stream[begin : begin + (size + 7) // 8])
    return made


def _with_checksums(audio: bytes) -> bytes:
    """The same sound in frames of 96 kbit/s that each hold all of their data and a checksum."""
    made = bytearray()
    for number, data in enumerate(_main_data(audio)):
        side = b"\0" + audio[number * 144 + 5 : number * 144 + 13]
        header = b"\xff\xf2\xa4" + audio[number * 144 + 3 : number * 144 + 4]
        check = crc16(header[2:] + side).to_bytes(2, "big")
        made += (header + check + side + data).ljust(288, b"\0")[:288]
    return bytes(made)


def _pointing_back(audio: bytes) -> bytes:
    """A frame whose data lie in frames that are not there, then the sound."""
    frames = word_frames("something", 11)
    rows = [frames[at : at + 144] for at in range(0, len(frames), 144)]
    return next(row for row in rows if row[4]) + audio


def _wave(audio: bytes) -> bytes:
    pcm = _pcm(audio).tobytes()
    head = (
        b"RIFF" + (36 + len(pcm)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    )
    form = b"\1\0\1\0" + (24_000).to_bytes(4, "little") + (48_000).to_bytes(4, "little")
    return head + form + b"\2\0\x10\0data" + len(pcm).to_bytes(4, "little") + pcm


def _webm(audio: bytes) -> bytes:
    """What "webm-24khz-16bit-mono-opus" would be."""
    import av

    target = io.BytesIO()
    with av.open(target, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(_pcm(audio)[None, :], format="s16", layout="mono")
        frame.sample_rate = 24_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return target.getvalue()


@lru_cache(maxsize=1)
def _id3() -> bytes:
    return b"ID3\4\0\0\0\0\0\x14" + bytes(20)


def _xing() -> bytes:
    tag = b"Xing" + (0).to_bytes(4, "big")
    return (b"\xff\xf3\x64\xc4" + bytes(9) + tag).ljust(144, b"\0")


# The catalogue ------------------------------------------------------------------------------------


def _spoken(name: str, **changes: object) -> Difference:
    return Difference(name, manner=lambda manner: replace(manner, **changes))  # type: ignore[arg-type]  # rows


def _marked(name: str, marks: Callable[[Marks, random.Random], Marks]) -> Difference:
    return Difference(name, marks=marks)


def _sounding(name: str, audio: Callable[[bytes], bytes]) -> Difference:
    return Difference(name, audio=audio)


def _behind(draft: Draft) -> None:
    draft.behind = True


def _only(kind: str) -> Callable[[Marks, random.Random], Marks]:
    return _kept(lambda item, chance: item["Type"] == kind)


def _lost(share: float) -> Callable[[Marks, random.Random], Marks]:
    return _kept(lambda item, chance: not _is_word(item) or chance.random() >= share)


def _unmarked(pattern: str) -> Callable[[Marks, random.Random], Marks]:
    return _kept(lambda item, chance: not (_is_word(item) and re.search(pattern, _said(item))))


MARKS = (
    _marked("no_marks", lambda marks, chance: []),
    _marked("only_sentences", _only("SentenceBoundary")),
    _marked("only_words", _only("WordBoundary")),
    *(
        _marked(
            f"marks_{'late' if seconds > 0 else 'early'}_{abs(seconds)}", _each(_shift(seconds))
        )
        for seconds in (0.4, 0.9, 1.4, -0.4, -0.9)
    ),
    _marked("marks_from_sentence", _from_sentence),
    _marked("marks_start_again", _each(_from_each(5.0))),
    _marked("marks_unordered", _unordered),
    _marked("marks_jittered", _jittered),
    _marked("marks_stretched", _each(_stretch(1.01))),
    _marked("marks_of_another_clock", _each(_stretch(2.0))),
    _marked("marks_at_zero", _each(lambda data: data.update(Offset=0, Duration=0))),
    _marked("numbers_unmarked", _unmarked(NUMBER)),
    _marked("latin_unmarked", _unmarked(LATIN)),
    _marked("short_words_unmarked", _kept(lambda item, chance: len(_said(item)) > 3)),
    _marked("apostrophes_unmarked", _unmarked("['’-]")),
    _marked("every_3rd_lost", _every(3)),
    _marked("every_5th_lost", _every(5)),
    _marked("every_20th_lost", _every(20)),
    _marked("one_in_100_lost", _lost(0.01)),
    _marked("one_in_30_lost", _lost(0.03)),
    _marked("marks_without_text", _each(_texts(lambda text: ""))),
    _marked("durations_0", _each(_lasting(0))),
    _marked("durations_short", _each(_lasting(0.3))),
    _marked("durations_long", _each(_lasting(1.6))),
    _marked("after_interjection", _after_interjection),
    _marked("whole_number_first", _whole_number_first),
    _marked("marks_twice", _twice),
    _marked("upper_case", _each(_texts(str.upper))),
    _marked("decomposed", _each(_texts(lambda text: unicodedata.normalize("NFD", text)))),
    _marked("with_punctuation", _each(_texts(lambda text: f"{text},"))),
    _marked("numbers_in_words", _each(_texts(lambda text: re.sub(r"\d+", "сколько-то", text)))),
    _marked("durations_missing", _each(lambda data: data.__delitem__("Duration"))),
)
SOUND = (
    _spoken("lead_1.5_s", lead=62),
    _spoken("lead_2.5_s", lead=104),
    _spoken("lead_0", lead=0),
    _spoken("tail_0", tail=(0, 0)),
    _spoken("tail_0_to_1.5_s", tail=(0, 62)),
    _spoken("tail_2_s", tail=(83, 83)),
    _spoken("tail_5_s", tail=(208, 208)),
    _spoken("paragraphs_4_s", paragraph=167),
    _spoken("sentences_2_s", sentence=83),
    _spoken("no_pauses", sentence=0, comma=0, paragraph=0),
    _spoken("pauses_of_noise_-57", noise_dbfs=-57.0),
    _spoken("pauses_of_noise_-75", noise_dbfs=-75.0),
    _spoken("slow", pace=0.6),
    _spoken("fast", pace=1.6),
    _spoken("soft", level=0.03),
    _sounding("noise_-57", _noisy(-57.0)),
    _sounding("noise_-70", _noisy(-70.0)),
)
FORMATS = (
    _sounding("96_kbit", _encoded(96)),
    _sounding("stereo", _encoded(96, channels=2)),
    _sounding("44_khz", _encoded(128, 44_100)),
    _sounding("16_khz", _encoded(32, 16_000)),
    _sounding("checksums", _with_checksums),
    _sounding("id3", lambda audio: _id3() + audio),
    _sounding("id3_at_end", lambda audio: audio + b"TAG" + bytes(125)),
    _sounding("xing", lambda audio: _xing() + audio),
    _sounding("points_back", _pointing_back),
    _sounding("half_a_frame_at_end", lambda audio: audio + silent_frame()[:70]),
    _sounding("wave", _wave),
    _sounding("webm", _webm),
)
LAYOUT = (Difference("marks_behind", layout=_behind),)
# Words that a voice of one language cannot say: the sound goes on without them.
UNSPOKEN = (
    _spoken("latin_unspoken", unspoken=LATIN),
    _spoken("numbers_unspoken", unspoken=NUMBER),
    _spoken("latin_and_numbers_unspoken", unspoken=f"{LATIN}|{NUMBER}"),
    _spoken("latin_unspoken_but_marked", unspoken=LATIN, marks_unspoken=True),
)
HARMLESS = (*MARKS, *SOUND, *FORMATS, *LAYOUT)
DIFFERENCES = {difference.name: difference for difference in (*HARMLESS, *UNSPOKEN)}


def named(*names: str) -> tuple[Difference, ...]:
    """The differences of these names, in this order."""
    return tuple(DIFFERENCES[name] for name in names)
