"""One turn of the simulated service as a list of steps: the faithful one, and each fault of it.

Order and framing follow the real service: turn.start, response, marks ahead of the
sound, 720 bytes of sound a message, an empty sound message, turn.end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal
from xml.sax.saxutils import escape

from tests.backends.edge import sound as edge_sound
from tests.backends.edge.faults import Fault
from tests.backends.edge.sound import FRAME_BYTES, Said, Word

Kind = Literal["text", "bytes", "close", "reset", "hang", "wait", "ping", "pings", "fragments"]
# Marks come this much earlier than the sound they belong to (measured: 67 % of the marks with
# 2 % of the sound).
AHEAD = 8
MOST_TICKS = 6_000_000_000
BYTES_PER_S = 6_000


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the server does. `wait_s` before it; `sound_s` of sound have gone out with it."""

    kind: Kind
    text: str = ""
    data: bytes = b""
    code: int = 0
    wait_s: float = 0.0
    sound_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked: the id as the client wrote it, and the marks it wants."""

    request_id: str
    words: bool
    sentences: bool


def text_frame(request_id: str, path: str, body: str) -> str:
    """A text message."""
    named = f"X-RequestId:{request_id}\r\n" if request_id else ""
    return f"{named}Content-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n{body}"


def sound_frame(request_id: str, data: bytes, stream_id: str = "5" * 32) -> bytes:
    """A binary message: 130 bytes and the sound; 105 bytes where there is none."""
    kind = "Content-Type:audio/mpeg\r\n" if data else ""
    named = f"X-RequestId:{request_id}\r\n" if request_id else ""
    head = f"{named}{kind}X-StreamId:{stream_id}\r\nPath:audio\r\n".encode()
    return len(head).to_bytes(2, "big") + head + data


def _item(kind: str, word: Word) -> dict[str, object]:
    said = {"Text": escape(word.text), "Length": len(word.text), "BoundaryType": kind}
    times = {"Offset": word.from_tick, "Duration": word.to_tick - word.from_tick}
    return {"Type": kind, "Data": {**times, "text": said}}


def _metadata(request_id: str, *items: dict[str, object]) -> str:
    return text_frame(request_id, "audio.metadata", json.dumps({"Metadata": items}, indent=2))


def _marks(turn: Turn, said: Said) -> list[tuple[int, dict[str, object]]]:
    marks: list[tuple[int, dict[str, object]]] = []
    if turn.sentences:
        marks += [(w.from_tick - 1, _item("SentenceBoundary", w)) for w in said.sentences]
    if turn.words:
        marks += [(w.from_tick, _item("WordBoundary", w)) for w in said.words]
    return sorted(marks, key=lambda mark: mark[0])


@dataclass(slots=True)
class Draft:
    """A turn before it is laid out in steps; faults change it. So many messages of marks come
    `after_end`; after so many bytes nothing comes any more (`freezes_at`, 0 for never)."""

    turn: Turn
    audio: bytes
    marks: list[tuple[int, dict[str, object]]]
    shown_id: str
    size: int = 720
    together: int = 1
    behind: bool = False
    final: bool = True
    end: bool = True
    after_end: int = 0
    freezes_at: int = 0
    extra: tuple[tuple[float, Step], ...] = ()
    stop: tuple[float, Step] | None = None

    @property
    def seconds(self) -> float:
        return len(self.audio) / BYTES_PER_S


def steps(draft: Draft) -> Iterator[Step]:
    """The messages of a turn, in order, as far as the line lets them through."""
    sent = 0
    for step in _all_steps(draft):
        sent += len(step.text.encode()) + len(step.data)
        if draft.freezes_at and sent > draft.freezes_at:
            yield Step("hang")
            return
        yield step


def _all_steps(draft: Draft) -> Iterator[Step]:
    """The messages of a turn, in order, ended early by `stop`."""
    sent = 0
    stop_at = math.inf if draft.stop is None else draft.stop[0] * len(draft.audio)
    extra = sorted(draft.extra, key=lambda pair: pair[0])
    marks = [_metadata_of(draft, n) for n in range(0, len(draft.marks), draft.together)]
    marks, late = marks[: len(marks) - draft.after_end], marks[len(marks) - draft.after_end :]
    if stop_at == 0 and draft.stop is not None and draft.stop[1].kind == "close":
        yield draft.stop[1]
        return
    tag = '{"context":{"serviceTag":"' + "7" * 32 + '"}}'
    yield Step("text", text_frame(draft.shown_id, "turn.start", tag))
    yield Step("text", text_frame(draft.shown_id, "response", tag))
    while sent < len(draft.audio):
        while extra and extra[0][0] * len(draft.audio) <= sent:
            yield extra.pop(0)[1]
        while (
            marks and not draft.behind and marks[0][0] <= (sent + draft.size) * AHEAD * 10_000 / 6
        ):
            yield Step("text", marks.pop(0)[1])
        if sent >= stop_at:
            break
        data = draft.audio[sent : sent + draft.size]
        sent += len(data)
        message = sound_frame(draft.shown_id, data)
        yield Step("bytes", data=message, sound_s=sent / BYTES_PER_S)
    if draft.stop is not None and draft.stop[0] < 1:
        yield draft.stop[1]
        return
    yield from (Step("text", message) for _, message in marks)
    yield from (step for _, step in extra)
    if draft.final:
        yield Step("bytes", data=sound_frame(draft.shown_id, b""))
    if draft.stop is not None:
        yield draft.stop[1]
    elif draft.end:
        yield Step("text", text_frame(draft.shown_id, "turn.end", "{}"))
        yield from (Step("text", message) for _, message in late)


def _metadata_of(draft: Draft, first: int) -> tuple[int, str]:
    some = draft.marks[first : first + draft.together]
    return some[0][0], _metadata(draft.shown_id, *(item for _, item in some))


def plain(turn: Turn, said: Said) -> Draft:
    """The turn as it should be."""
    return Draft(turn, said.audio, _marks(turn, said), turn.request_id)


Say = Callable[[str], Said]


def with_fault(turn: Turn, text: str, say: Say, fault: Fault | None) -> Draft:
    """The turn for `text` with one fault."""
    said = say(text)
    draft = plain(turn, said)
    if fault is None or not said.audio:
        return draft
    at = _whole_frames(len(draft.audio) * fault.share)
    name = fault.name
    if name in _HOLES:
        return _HOLES[name](turn, text, say, fault)
    if fault.code:
        close = Step("close", text=fault.reason, code=fault.code)
        draft.stop = (fault.share, close)
    elif name in _STOPS:
        draft.stop = _STOPS[name](fault)
    elif name in ("cut_sound", "cut_all", "cut_all_late"):
        draft.audio = draft.audio[:at]
        if name != "cut_sound":
            tick = at // FRAME_BYTES * edge_sound.FRAME_TICKS
            draft.marks = [mark for mark in draft.marks if mark[0] < tick]
    elif name in _CHANGES:
        _CHANGES[name](draft, fault)
    elif name.startswith("size_"):
        draft.size = fault.size
    return draft


def _whole_frames(size: float) -> int:
    return int(size) // FRAME_BYTES * FRAME_BYTES


def _hole_words(text: str, fault: Fault) -> tuple[int, int]:
    count = len(edge_sound.spans(text))
    first, last = fault.words
    if first < 0:
        return max(0, count + first), count + last
    first = min(first, max(0, count - 2))
    return first, min(last, count - 2) if fault.words[0] else min(last, count - 1)


def _hole(turn: Turn, text: str, say: Say, fault: Fault) -> Draft:
    return plain(turn, say(edge_sound.without(text, *_hole_words(text, fault))))


def _hole_in_sound(turn: Turn, text: str, say: Say, fault: Fault) -> Draft:
    draft = plain(turn, say(text))
    draft.audio = _hole(turn, text, say, fault).audio
    return draft


def _hole_in_marks(turn: Turn, text: str, say: Say, fault: Fault) -> Draft:
    said = say(text)
    first, last = _hole_words(text, fault)
    kept = (*said.words[:first], *said.words[last + 1 :])
    return plain(turn, replace(said, words=kept))


def _silent_words(turn: Turn, text: str, say: Say, fault: Fault) -> Draft:
    draft, said = plain(turn, say(text)), say(text)
    first, last = _hole_words(text, fault)
    shift = edge_sound.FIRST_TICK - edge_sound.LEAD_FRAMES * edge_sound.FRAME_TICKS
    start = (said.words[first].from_tick - shift) // edge_sound.FRAME_TICKS * FRAME_BYTES
    stop = (said.words[last].to_tick - shift) // edge_sound.FRAME_TICKS * FRAME_BYTES
    quiet = edge_sound.silent_frame() * ((stop - start) // FRAME_BYTES)
    draft.audio = draft.audio[:start] + quiet + draft.audio[stop:]
    return draft


def _other_text(turn: Turn, text: str, say: Say, fault: Fault) -> Draft:
    draft = plain(turn, say(text))
    other = "".join(chr(ord(c) ^ 1) if c.isascii() and c.isalpha() else c for c in text)
    draft.audio = say(other).audio[: len(draft.audio)]
    return draft


_HOLES: dict[str, Callable[[Turn, str, Say, Fault], Draft]] = {
    **dict.fromkeys(
        ("hole", "hole_of_a_word", "hole_of_a_short_word", "hole_at_start", "hole_at_end"), _hole
    ),
    "hole_in_sound": _hole_in_sound,
    "hole_in_marks": _hole_in_marks,
    "silent_words": _silent_words,
    "other_text": _other_text,
}

_STOPS: dict[str, Callable[[Fault], tuple[float, Step]]] = {
    "silent_after_start": lambda fault: (0.0, Step("hang")),
    "silent_midway": lambda fault: (fault.share, Step("hang")),
    "pings_only": lambda fault: (fault.share, Step("pings")),
    "reset_midway": lambda fault: (fault.share, Step("reset")),
}


def _add(draft: Draft, share: float, step: Step) -> None:
    draft.extra = (*draft.extra, (share, step))


def _add_text(draft: Draft, request_id: str, path: str, body: str) -> None:
    _add(draft, 0.3, Step("text", text_frame(request_id, path, body)))


def _no_audio(draft: Draft, fault: Fault) -> None:
    draft.audio, draft.marks, draft.final = b"", [], False


def _no_marks(draft: Draft, fault: Fault) -> None:
    draft.marks = []


def _marks_together(draft: Draft, fault: Fault) -> None:
    draft.together = 7


def _marks_behind(draft: Draft, fault: Fault) -> None:
    draft.behind = True


def _marks_after_end(draft: Draft, fault: Fault) -> None:
    draft.after_end = 3


def _frozen(draft: Draft, fault: Fault) -> None:
    draft.freezes_at = fault.size


def _marks_overlap(draft: Draft, fault: Fault) -> None:
    for _, item in draft.marks:
        data = item["Data"]
        assert isinstance(data, dict)
        if item["Type"] == "WordBoundary" and item is not draft.marks[-1][1]:
            data["Duration"] = int(data["Duration"]) + 1_500_000


def _marks_in_words(draft: Draft, fault: Fault) -> None:
    """Numbers are marked as the words that are said for them."""
    for _, item in draft.marks:
        data = item["Data"]
        assert isinstance(data, dict)
        if item["Type"] == "WordBoundary" and str(data["text"]["Text"]).isdigit():
            data["text"]["Text"] = "as many as that"


def _no_sentences(draft: Draft, fault: Fault) -> None:
    draft.marks = [mark for mark in draft.marks if mark[1]["Type"] == "WordBoundary"]


def _session_end(draft: Draft, fault: Fault) -> None:
    ticks = len(draft.audio) // FRAME_BYTES * edge_sound.FRAME_TICKS
    end: dict[str, object] = {"Type": "SessionEnd", "Data": {"Offset": ticks}}
    draft.marks.append((ticks, end))
    draft.together = 3 if fault.name == "session_end_mixed" else 1


def _whole_id_in_capitals(draft: Draft, fault: Fault) -> None:
    draft.shown_id = draft.turn.request_id.upper()


def _no_id(draft: Draft, fault: Fault) -> None:
    draft.shown_id = ""


def _foreign_turn(draft: Draft, fault: Fault) -> None:
    other = "f" * 32
    stray = edge_sound.silent_frame() * 50
    word = Word(0, 5, "other", 10_000_000, 20_000_000)
    _add(draft, 0.2, Step("bytes", data=sound_frame(other, stray)))
    _add(draft, 0.3, Step("text", _metadata(other, _item("WordBoundary", word))))
    _add_text(draft, other, "turn.end", "{}")


def _repeated_id(draft: Draft, fault: Fault) -> None:
    message = text_frame(draft.shown_id, "response", "{}")
    _add(draft, 0.5, Step("text", f"X-RequestId:{draft.shown_id}\r\n{message}"))


def _open_header(draft: Draft, fault: Fault) -> None:
    head = f"X-RequestId:{draft.shown_id}\r\nContent-Type:audio/mpeg\r\nPath:audio".encode()
    _add(draft, 0.4, Step("bytes", data=len(head).to_bytes(2, "big") + head))


def _wrong_length(draft: Draft, fault: Fault) -> None:
    _add(draft, 0.4, Step("bytes", data=b"\xff\xff" + b"Path:audio\r\n" + bytes(720)))


def _empty_sound(draft: Draft, fault: Fault) -> None:
    head = f"X-RequestId:{draft.shown_id}\r\nContent-Type:audio/mpeg\r\nPath:audio\r\n".encode()
    _add(draft, 0.4, Step("bytes", data=len(head).to_bytes(2, "big") + head))


def _change_sound(change: Callable[[bytes], bytes]) -> Callable[[Draft, Fault], None]:
    def apply(draft: Draft, fault: Fault) -> None:
        draft.audio = change(draft.audio)

    return apply


def _garbage(audio: bytes) -> bytes:
    return audio[:1_440] + bytes(range(144)) + audio[1_584:]


def _silence(audio: bytes) -> bytes:
    return edge_sound.silent_frame() * (len(audio) // FRAME_BYTES)


_CHANGES: dict[str, Callable[[Draft, Fault], None]] = {
    "no_audio": _no_audio,
    "no_marks": _no_marks,
    "marks_together": _marks_together,
    "marks_behind": _marks_behind,
    "marks_after_end": _marks_after_end,
    "frozen": _frozen,
    "marks_overlap": _marks_overlap,
    "marks_in_words": _marks_in_words,
    "no_sentences": _no_sentences,
    "session_end": _session_end,
    "session_end_mixed": _session_end,
    "upper_case_id": _whole_id_in_capitals,
    "no_id": _no_id,
    "foreign_turn": _foreign_turn,
    "repeated_id": _repeated_id,
    "open_header": _open_header,
    "wrong_length": _wrong_length,
    "empty_sound": _empty_sound,
    "cut_frame": _change_sound(lambda audio: audio[:-50]),
    "garbage": _change_sound(_garbage),
    "other_bit_rate": _change_sound(lambda audio: audio.replace(b"\xff\xf3\x64", b"\xff\xf3\x84")),
    "all_silent": _change_sound(_silence),
    "unknown_path": lambda draft, fault: _add_text(draft, draft.shown_id, "audio.news", "{}"),
    "empty_list": lambda draft, fault: _add_text(
        draft, draft.shown_id, "audio.metadata", '{"Metadata":[]}'
    ),
    "unknown_type": lambda draft, fault: _add_text(
        draft,
        draft.shown_id,
        "audio.metadata",
        '{"Metadata":[{"Type":"Viseme","Data":{"Offset":5,"VisemeId":2}}]}',
    ),
    "bad_json": lambda draft, fault: _add_text(
        draft, draft.shown_id, "audio.metadata", '{"Metadata":[{"Type":"Wo'
    ),
    "one_byte": lambda draft, fault: _add(draft, 0.4, Step("bytes", data=b"\x00")),
    "server_ping": lambda draft, fault: _add(draft, 0.4, Step("ping")),
    "fragments": lambda draft, fault: _add(
        draft, 0.4, Step("fragments", text_frame(draft.shown_id, "response", "{}"))
    ),
    "pause_midway": lambda draft, fault: _add(draft, 0.4, Step("wait", wait_s=fault.wait_s)),
}
