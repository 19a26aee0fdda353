"""Everything that the simulated service can do wrong, by name, and when it does it.

`FAULTS` is the catalogue; each row says what a good client makes of the fault (`expect`): "whole"
for a reply that is complete all the same, else the `Failure` that it must be told as. A plan says
which connection meets which fault: see `script`, `Mixture`, `waves`, `crowd`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tts_book.errors import Failure

Stage = Literal["door", "http", "socket", "turn"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `share` is the part of the sound after which it strikes; `words` are the first
    and last word of a hole; `text` and `voice` (regular expressions) limit it to some requests."""

    name: str
    stage: Stage
    expect: Failure | Literal["whole"]
    share: float = 0.5
    words: tuple[int, int] = (3, 12)
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    code: int = 0
    reason: str = ""
    size: int = 720
    wait_s: float = 3_600.0
    text: str = ""
    voice: str = ""


def _http(status: int, expect: Failure, name: str = "", body: str = "", **headers: str) -> Fault:
    sent = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    return Fault(name or f"http_{status}", "http", expect, status=status, headers=sent, body=body)


def _closed(name: str, code: int, reason: str, expect: Failure, share: float = 0.5) -> Fault:
    return Fault(name, "turn", expect, code=code, reason=reason, share=share)


_T, _O, _I = Failure.TRANSIENT, Failure.OVERLOAD, Failure.INCOMPLETE
_HTML = "<html><body><h2>Our services aren't available right now</h2></body></html>"
_DURATION = "The processed audio has exceeded the configured maximum media duration of 600000ms"

FAULTS: tuple[Fault, ...] = (
    # 1: before any byte of HTTP
    Fault("refused", "door", _T),
    Fault("mute", "door", _T),
    Fault("reset_in_tls", "door", _T),
    # 2 and 3: the handshake is refused
    _http(400, Failure.BAD_REQUEST),
    _http(401, Failure.REFUSED),
    _http(403, Failure.REFUSED),
    _http(404, Failure.REFUSED),
    _http(429, _O),
    _http(429, _O, "http_429_wait", Retry_After="7"),
    _http(500, _T),
    _http(502, _T),
    _http(503, _O),
    _http(503, _O, "http_503_page", _HTML, Content_Type="text/html"),
    _http(503, _O, "http_503_date", Retry_After="Wed, 21 Oct 2150 07:28:00 GMT"),
    _http(504, _T),
    _http(200, _T, "front_page", _HTML, Content_Type="text/html"),
    # 5 and 6: nothing comes, or not in time
    Fault("slow_handshake", "http", _T),
    Fault("silent_socket", "socket", _T),
    Fault("closed_at_once", "socket", _T, code=1000),
    Fault("silent_before_start", "turn", _T),
    Fault("silent_after_start", "turn", _T),
    Fault("silent_midway", "turn", _T),
    Fault("pause_midway", "turn", "whole", wait_s=0.02),
    Fault("pings_only", "turn", _T),
    Fault("frozen", "turn", _T, size=16_000),
    # 8: an end without sound
    Fault("no_audio", "turn", Failure.NO_AUDIO),
    # 9 and 13: closed before the end
    _closed("close_1000", 1000, "", _I),
    _closed("close_1001", 1001, "going away", _T),
    _closed("close_1011", 1011, "internal error", _T, 0.9),
    _closed("close_before_end", 1000, "", _I, 1.0),
    _closed("close_4000", 4000, "something new", _T),
    Fault("reset_midway", "turn", _T),
    _closed("1007_ssml", 1007, "SSML is invalid", Failure.BAD_REQUEST, 0),
    _closed(
        "1007_parsing",
        1007,
        "An error occurred while parsing EntityName. Line 6, position 27.",
        Failure.BAD_REQUEST,
        0,
    ),
    _closed("1007_throttled", 1007, "Throttled due to too many requests", _O, 0),
    _closed("1007_voice", 1007, "Unsupported voice X", Failure.MISCONFIGURED, 0),
    _closed("1007_duration", 1007, _DURATION, Failure.TOO_LONG, 1.0),
    # 10, 11 and 12: a normal end, and something is missing
    Fault("cut_sound", "turn", _I),
    Fault("cut_all", "turn", _I),
    Fault("cut_all_late", "turn", _I, share=0.93),
    Fault("hole", "turn", _I),
    Fault("hole_of_a_word", "turn", _I, words=(4, 4)),
    Fault("hole_of_a_short_word", "turn", _I, words=(3, 3)),
    Fault("hole_at_start", "turn", _I, words=(0, 2)),
    Fault("hole_at_end", "turn", _I, words=(-2, -1)),
    Fault("hole_in_sound", "turn", _I),
    Fault("hole_in_marks", "turn", "whole", words=(3, 4)),
    # 14: marks
    Fault("no_marks", "turn", "whole"),
    Fault("marks_together", "turn", "whole"),
    Fault("marks_behind", "turn", "whole"),
    Fault("marks_after_end", "turn", "whole"),
    Fault("marks_overlap", "turn", "whole"),
    Fault("marks_in_words", "turn", "whole"),
    Fault("session_end", "turn", "whole"),
    Fault("session_end_mixed", "turn", "whole"),
    Fault("no_sentences", "turn", "whole"),
    Fault("empty_list", "turn", "whole"),
    Fault("unknown_type", "turn", "whole"),
    Fault("bad_json", "turn", "whole"),
    # 15 and 16: framing and ids
    Fault("unknown_path", "turn", "whole"),
    Fault("upper_case_id", "turn", "whole"),
    Fault("no_id", "turn", "whole"),
    Fault("foreign_turn", "turn", "whole"),
    Fault("repeated_id", "turn", "whole"),
    Fault("one_byte", "turn", "whole"),
    Fault("empty_sound", "turn", "whole"),
    Fault("open_header", "turn", "whole"),
    Fault("wrong_length", "turn", _I),
    *(Fault(f"size_{size}", "turn", "whole", size=size) for size in (1, 143, 32_768)),
    # 17: the sound itself
    Fault("cut_frame", "turn", _I),
    Fault("garbage", "turn", _I),
    Fault("other_bit_rate", "turn", _I),
    Fault("all_silent", "turn", _I),
    Fault("silent_words", "turn", _I, words=(3, 7)),
    # 18: WebSocket
    Fault("server_ping", "turn", "whole"),
    Fault("fragments", "turn", "whole"),
    Fault("deflate", "socket", "whole"),
)
# Nobody can notice this one by what the service sends: the right marks over the sound of another
# text of the same length.
UNDETECTABLE = (Fault("other_text", "turn", "whole"),)
NAMED = {fault.name: fault for fault in (*FAULTS, *UNDETECTABLE)}


def named(fault: Fault | str | None) -> Fault | None:
    """The fault of this name; None is none."""
    return NAMED[fault] if isinstance(fault, str) else fault


@dataclass(frozen=True, slots=True)
class Asked:
    """A connection that comes in: its number from 0, how many are open with it, and when."""

    number: int
    open: int
    now_s: float


Faults = Callable[[Asked], Fault | None]


def script(*faults: Fault | str | None, then: Fault | str | None = None) -> Faults:
    """One after another, `then` for all after them."""
    rows = [named(fault) for fault in faults]
    return lambda asked: rows[asked.number] if asked.number < len(rows) else named(then)


class Mixture:
    """Each fault at its share of all requests. Those of a turn are drawn from the seed, its text
    and how often that was asked for, so that they do not depend on the order in which requests
    come in; all others come before any text, and are drawn from the connection's number.

    Where a fault strikes is drawn too, so that the same fault is not the same twice.
    """

    def __init__(self, shares: Mapping[str, float], seed: int = 0) -> None:
        before = {name: share for name, share in shares.items() if NAMED[name].stage != "turn"}
        left = 1 - sum(before.values())
        self._before, self._seed = before, seed
        self._in_turn = {n: share / left for n, share in shares.items() if n not in before}

    def __call__(self, asked: Asked) -> Fault | None:
        """The fault of a connection, if it has one before its turn."""
        return _drawn(self._before, f"{self._seed}/{asked.number}")

    def of_turn(self, text: str, attempt: int) -> Fault | None:
        """The fault of a turn; `attempt` counts the requests for this text from 1."""
        return _drawn(self._in_turn, f"{self._seed}/{attempt}/{text}")


def _drawn(shares: Mapping[str, float], seed: str) -> Fault | None:
    chance = random.Random(seed)
    at = chance.random()
    for name, share in shares.items():
        at -= share
        if at < 0:
            return _varied(NAMED[name], chance)
    return None


def _varied(fault: Fault, chance: random.Random) -> Fault:
    if fault.words[0] < 0 or fault.words[0] == 0:
        return fault
    first = chance.randrange(1, 20)
    long = fault.words[1] - fault.words[0]
    share = fault.share if fault.share in (0.0, 1.0) else chance.uniform(0.05, 0.93)
    return replace(fault, share=share, words=(first, first + long))


@dataclass(frozen=True, slots=True)
class Wave:
    """From `start_s` to `stop_s` of the simulator's clock: this fault, with this chance."""

    start_s: float
    stop_s: float
    fault: str
    chance: float = 1.0


def waves(schedule: Sequence[Wave], seed: int = 0) -> Faults:
    """Faults by the clock; the first wave that holds the time counts."""

    def draw(asked: Asked) -> Fault | None:
        for wave in schedule:
            if wave.start_s <= asked.now_s < wave.stop_s:
                luck = random.Random(f"{seed}/{asked.number}").random()
                return NAMED[wave.fault] if luck < wave.chance else None
        return None

    return draw


def crowd(most: int, fault: str = "http_503") -> Faults:
    """The fault for whoever comes while more than `most` connections are open."""
    return lambda asked: NAMED[fault] if asked.open > most else None
