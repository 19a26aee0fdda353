"""How long to wait for the service: limits that grow with what it shows, and what stalls mean.

Arithmetic on values; all times are seconds, given by the caller.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tts_book.backends.edge.failures import ServiceTrouble
from tts_book.errors import Failure

# So many whole replies show how quick a service is; the slowest of the last ones decides.
PROVEN_TURNS = 3
REMEMBERED_TURNS = 20
# A limit is this many times what was the slowest so far.
TIMES_SLOWEST = 3.0
# Each answer in a row that began and then stalled lengthens the limits by so much.
STALL_FACTOR = 1.5
LONGEST_S = 120.0
# An answer that has come so far is under way, also where all of it was marks: marks travel ahead
# of the sound.
UNDER_WAY_BYTES = 8_192
# Filters on the way let 16 to 20 kB through and then nothing. Three stalls at about the same size
# are no accident.
FREEZES = 3
ALIKE_SHARE, ALIKE_BYTES = 0.25, 4_096
# Marks that come after the end of the turn are waited for until it was in vain so often.
LATE_MARKS_TRIES = 3

FROZEN_MEND = (
    "A filter on the way does that. What helps: a VPN or a proxy (--proxy URL, also socks5h://), "
    "a relay of your own, or a voice on this machine (--backend piper)."
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step may take, in seconds.

    `turn_start_s` and `first_audio_s` count from the request; `silence_s` lies between any two
    messages. A whole turn may take as long as its sound would play, counted from its first sound
    and within the two bounds. The `unproven` limits hold until a service has shown its pace.
    """

    connect_s: float = 15.0
    turn_start_s: float = 10.0
    first_audio_s: float = 20.0
    silence_s: float = 20.0
    unproven_turn_start_s: float = 27.0
    unproven_first_audio_s: float = 60.0
    whole_least_s: float = 60.0
    whole_most_s: float = 300.0
    late_marks_s: float = 0.5
    close_s: float = 2.0
    voices_s: float = 20.0
    health_s: float = 6.0

    def whole_s(self, estimated_s: float) -> float:
        """The limit for a turn whose sound is estimated to play so long."""
        return min(self.whole_most_s, max(self.whole_least_s, estimated_s))


@dataclass(frozen=True, slots=True)
class Pace:
    """When things came in a turn: first message and first sound, counted from the request, and the
    longest silence between two messages after that. `size_bytes` is that of all messages."""

    start_s: float = 0.0
    first_audio_s: float = 0.0
    gap_s: float = 0.0
    size_bytes: int = 0


AT_ONCE = Pace()


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How long the next turn may stay silent: before its first message, before its first sound,
    and between two messages once it is under way."""

    start_s: float
    first_audio_s: float
    silence_s: float


@dataclass(slots=True)
class Patience:
    """What the turns of a run have shown so far.

    Nothing is known of a service at first, and it gets more time than the usual one needs. Once
    some replies came whole, the slowest of them decides. An answer that began and then stalled is
    a sign of a slow service rather than of a dead one: the next gets longer.
    """

    times: Timeouts
    _recent: deque[Pace] = field(default_factory=lambda: deque(maxlen=REMEMBERED_TURNS))
    _stalls_in_row: int = 0
    _stalled_at: deque[int] = field(default_factory=lambda: deque(maxlen=FREEZES))
    _longest_whole_bytes: int = 0
    _late_marks_in_vain: int = 0

    def limits(self) -> TurnLimits:
        """The limits for the next turn."""
        times, proven = self.times, len(self._recent) >= PROVEN_TURNS
        start_s = times.turn_start_s if proven else times.unproven_turn_start_s
        first_audio_s = times.first_audio_s if proven else times.unproven_first_audio_s
        factor = STALL_FACTOR**self._stalls_in_row
        return TurnLimits(
            self._stretched(start_s, [pace.start_s for pace in self._recent], factor),
            self._stretched(first_audio_s, [pace.first_audio_s for pace in self._recent], factor),
            self._stretched(times.silence_s, [pace.gap_s for pace in self._recent], factor),
        )

    @staticmethod
    def _stretched(least_s: float, seen_s: list[float], factor: float) -> float:
        slowest_s = TIMES_SLOWEST * max(seen_s, default=0.0)
        return min(max(least_s, slowest_s) * factor, max(LONGEST_S, least_s))

    def learn_whole(self, pace: Pace) -> None:
        """A reply came to its end."""
        self._recent.append(pace)
        self._stalls_in_row = 0
        self._longest_whole_bytes = max(self._longest_whole_bytes, pace.size_bytes)

    def learn_stall(self, pace: Pace) -> ServiceTrouble | None:
        """A reply stalled. What that means where it is more than an accident: the line freezes."""
        if pace.size_bytes < UNDER_WAY_BYTES:
            self._stalls_in_row += pace.size_bytes > 0
            return None
        self._stalled_at.append(pace.size_bytes)
        if not self._may_freeze():
            self._stalls_in_row += 1
        # Else that is to be found out soon, without growing patience.
        if len(self._stalled_at) < FREEZES or not self._may_freeze():
            return None
        kilobytes = round(sum(self._stalled_at) / len(self._stalled_at) / 1_000)
        what = (
            f"The connection freezes: {FREEZES} answers stopped after about {kilobytes} kB, and "
            "no longer one came whole"
        )
        return ServiceTrouble(what, FROZEN_MEND, Failure.MISCONFIGURED, stops_run=True)

    def _may_freeze(self) -> bool:
        least, most = min(self._stalled_at), max(self._stalled_at)
        alike = most - least <= max(ALIKE_BYTES, ALIKE_SHARE * least)
        return alike and self._longest_whole_bytes <= most

    @property
    def awaits_late_marks(self) -> bool:
        """Whether marks may still come after a turn's end."""
        return self._late_marks_in_vain < LATE_MARKS_TRIES

    def learn_late_marks(self, *, came: bool) -> None:
        """Marks were missing at a turn's end, and were waited for."""
        self._late_marks_in_vain = -LATE_MARKS_TRIES if came else self._late_marks_in_vain + 1
