"""How often to try again, how long to wait, and when to stop: arithmetic on values.

Nothing here sleeps, logs or knows a clock: times and chance are arguments. Waiting is seconds.
The figures are those of the service's users (reports of 2022 to 2026) and of simulated runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite

from tts_book.errors import Failure

# A dropped connection, silence, a 5xx: usually gone in seconds. Full jitter parts those who
# were dropped together.
TRANSIENT_TRIES = 8
TRANSIENT_FIRST_S = 0.5
TRANSIENT_MOST_S = 30.0
# Failures in a row, over all pieces, after which the line or the service is to blame and not the
# piece: then everybody waits and one piece probes, so that a router's restart costs no chapter.
LINE_IS_DOWN = 3

# 429 and 503: five minutes of blocking were measured (edge-tts issues 21 and 51); of four at once
# some are refused that go well one by one (482).
OVERLOAD_TRIES = 8
OVERLOAD_FIRST_S = 5.0
OVERLOAD_MOST_S = 300.0
# A Retry-After longer than this is not waited for in one go.
RETRY_AFTER_MOST_S = 600.0

# 2 to 4 % of valid texts come back empty on some days and are whole the second time; words get
# lost under load (edge-tts issue 230), so the second try is alone.
INCOMPLETE_TRIES = 3
INCOMPLETE_DEPTH = 2
NO_AUDIO_TRIES = 4
NO_AUDIO_WAITS_S = (1.0, 3.0, 9.0)
# A part of a piece that was tried to the end before needs no such patience.
NO_AUDIO_TRIES_OF_A_PART = 2
# Halves of halves: 1,500 characters become about 50, a sentence, so that the user is told where
# it is. A text that was called malformed is halved once only: each half is a malformed request.
NO_AUDIO_DEPTH = 5
TOO_LONG_DEPTH = 5
BAD_REQUEST_DEPTH = 1

# Turned away: one more try, in case the service was changing guards.
REFUSED_TRIES = 2
REFUSED_WAIT_S = 5.0

# The circuit: the service is gone for good when so many tries in a row have failed over all
# pieces and for so long (requests that fail in one moment are one failure of the line; a router
# needs a minute or two), when very many have, or when nothing succeeded for minutes.
ROW_STOPS = 8
ROW_LASTS_S = 90.0
ROW_LASTS_AT_FIRST_S = 30.0
LONG_ROW_STOPS = 24
NOTHING_FOR_S = 600.0
NEVER_FOR_S = 300.0
# Whoever waits for the service to come back (--wait) asks so often.
PROBE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Try again after `wait_s`: `alone`, with nothing else in flight; `pause_all`, while nobody
    starts anything."""

    wait_s: float
    alone: bool = False
    pause_all: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Speak it as two halves; what cannot be halved has failed."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The piece has failed; `stops_run`: no other piece can fare better."""

    stops_run: bool = False


Decision = TryAgain | Split | GiveUp


@dataclass(frozen=True, slots=True)
class FailedTry:
    """A failed try.

    `attempt` counts the tries of this piece that ended with this `failure`, from 1. `depth` is
    how many halvings made the piece. `consecutive_overloads` and `failures_in_row` count over all
    pieces since the last success, this one included. `retry_after_s` is the service's wish.
    """

    failure: Failure
    attempt: int
    depth: int
    retry_after_s: float | None
    consecutive_overloads: int
    failures_in_row: int


def decide(
    failure: Failure,
    attempt: int,
    *,
    random: Callable[[], float],
    retry_after_s: float | None = None,
    consecutive_overloads: int = 1,
    failures_in_row: int = 1,
    depth: int = 0,
) -> Decision:
    """What to do after a failed try of a piece (see `FailedTry` for what the numbers count).

    `random` gives numbers in [0, 1).
    """
    trouble = FailedTry(
        failure, attempt, depth, retry_after_s, consecutive_overloads, failures_in_row
    )
    return _REMEDIES[failure](trouble, random)


def _transient(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    if trouble.attempt >= TRANSIENT_TRIES:
        return GiveUp()
    return _gently(trouble, random, TryAgain(_wished(trouble) or _soon(trouble, random)))


def _overload(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    if trouble.attempt >= OVERLOAD_TRIES:
        return GiveUp()
    row = max(1, trouble.consecutive_overloads)
    wait_s = _half_jitter(_doubled(OVERLOAD_FIRST_S, row - 1, OVERLOAD_MOST_S), random)
    return TryAgain(_wished(trouble) or wait_s, pause_all=True)


def _incomplete(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    if trouble.attempt < INCOMPLETE_TRIES:
        return _gently(trouble, random, TryAgain(_soon(trouble, random), alone=True))
    return Split() if trouble.depth < INCOMPLETE_DEPTH else GiveUp()


def _no_audio(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    tries = NO_AUDIO_TRIES if trouble.depth == 0 else NO_AUDIO_TRIES_OF_A_PART
    if trouble.attempt < tries:
        wait_s = NO_AUDIO_WAITS_S[max(1, trouble.attempt) - 1]
        return _gently(trouble, random, TryAgain(wait_s * (0.5 + random())))
    return Split() if trouble.depth < NO_AUDIO_DEPTH else GiveUp()


def _too_long(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    return Split() if trouble.depth < TOO_LONG_DEPTH else GiveUp()


def _bad_request(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    return Split() if trouble.depth < BAD_REQUEST_DEPTH else GiveUp()


def _refused(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    if trouble.attempt < REFUSED_TRIES:
        return TryAgain(REFUSED_WAIT_S, alone=True, pause_all=True)
    return GiveUp(stops_run=True)


def _misconfigured(trouble: FailedTry, random: Callable[[], float]) -> Decision:
    return GiveUp(stops_run=True)


_REMEDIES: dict[Failure, Callable[[FailedTry, Callable[[], float]], Decision]] = {
    Failure.TRANSIENT: _transient,
    Failure.OVERLOAD: _overload,
    Failure.INCOMPLETE: _incomplete,
    Failure.NO_AUDIO: _no_audio,
    Failure.BAD_REQUEST: _bad_request,
    Failure.TOO_LONG: _too_long,
    Failure.REFUSED: _refused,
    Failure.MISCONFIGURED: _misconfigured,
}


def _soon(trouble: FailedTry, random: Callable[[], float]) -> float:
    return random() * _doubled(TRANSIENT_FIRST_S, trouble.attempt, TRANSIENT_MOST_S)


def _gently(trouble: FailedTry, random: Callable[[], float], again: TryAgain) -> TryAgain:
    """`again`, or where one piece after another fails, one probe while all others wait."""
    row = trouble.failures_in_row
    if row < LINE_IS_DOWN:
        return again
    wait_s = _half_jitter(_doubled(TRANSIENT_FIRST_S, row, TRANSIENT_MOST_S), random)
    return TryAgain(max(wait_s, again.wait_s), alone=True, pause_all=True)


def _doubled(first_s: float, times: int, most_s: float) -> float:
    # 2 to the 64th second is far above any limit, and no number gets too large on the way.
    return min(most_s, first_s * 2.0 ** min(times, 64))


def _half_jitter(most_s: float, random: Callable[[], float]) -> float:
    return most_s * (0.5 + random() / 2)


def _wished(trouble: FailedTry) -> float | None:
    wish_s = trouble.retry_after_s
    if wish_s is None or not isfinite(wish_s) or wish_s <= 0:
        return None
    return min(wish_s, RETRY_AFTER_MOST_S)


@dataclass(frozen=True, slots=True)
class Circuit:
    """Whether going on makes sense: counts over all pieces of a run.

    `since_s` is when the run began or last succeeded, `row_since_s` when the row of failures did.
    """

    since_s: float
    ever: bool = False
    failures_in_row: int = 0
    consecutive_overloads: int = 0
    row_since_s: float = 0.0

    def after_success(self, now_s: float) -> Circuit:
        """The circuit after a piece was spoken."""
        return Circuit(now_s, ever=True)

    def after_failure(self, failure: Failure, now_s: float) -> Circuit:
        """The circuit after a failed try."""
        return replace(
            self,
            failures_in_row=self.failures_in_row + 1,
            consecutive_overloads=self.consecutive_overloads + (failure is Failure.OVERLOAD),
            row_since_s=self.row_since_s if self.failures_in_row else now_s,
        )

    def stops(self, now_s: float) -> str:
        """Why the run should stop now, as the end of "The service is given up: ...", or ""."""
        if not self.failures_in_row:
            return ""
        if self._row_stops(now_s):
            return f"{self.failures_in_row} tries in a row have failed"
        patience_s = NOTHING_FOR_S if self.ever else NEVER_FOR_S
        if now_s - self.since_s < patience_s:
            return ""
        return f"nothing has succeeded for {patience_s / 60:.0f} minutes"

    def _row_stops(self, now_s: float) -> bool:
        if self.failures_in_row >= LONG_ROW_STOPS:
            return True
        lasts_s = ROW_LASTS_S if self.ever else ROW_LASTS_AT_FIRST_S
        return self.failures_in_row >= ROW_STOPS and now_s - self.row_since_s >= lasts_s
