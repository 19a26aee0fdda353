"""Retries, the circuit and the adaptive limit: arithmetic, tried as tables and as properties."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.errors import Failure
from tts_book.synthesis import retry_policy
from tts_book.synthesis.rate_limiter import CLEAN_TO_GROW, CUT_EVERY_S, Limit, Spacing
from tts_book.synthesis.retry_policy import Circuit, Decision, GiveUp, Split, TryAgain, decide


def middle() -> float:
    return 0.5


DECISIONS: Sequence[tuple[Failure, int, Decision]] = [
    (Failure.TRANSIENT, 1, TryAgain(0.5)),
    (Failure.TRANSIENT, 2, TryAgain(1.0)),
    (Failure.TRANSIENT, 5, TryAgain(8.0)),
    (Failure.TRANSIENT, 7, TryAgain(15.0)),
    (Failure.TRANSIENT, 8, GiveUp()),
    (Failure.TRANSIENT, 60, GiveUp()),
    (Failure.OVERLOAD, 1, TryAgain(3.75, pause_all=True)),
    (Failure.OVERLOAD, 7, TryAgain(3.75, pause_all=True)),
    (Failure.OVERLOAD, 8, GiveUp()),
    (Failure.INCOMPLETE, 1, TryAgain(0.5, alone=True)),
    (Failure.INCOMPLETE, 2, TryAgain(1.0, alone=True)),
    (Failure.INCOMPLETE, 3, Split()),
    (Failure.NO_AUDIO, 1, TryAgain(1.0)),
    (Failure.NO_AUDIO, 2, TryAgain(3.0)),
    (Failure.NO_AUDIO, 3, TryAgain(9.0)),
    (Failure.NO_AUDIO, 4, Split()),
    (Failure.TOO_LONG, 1, Split()),
    (Failure.BAD_REQUEST, 1, Split()),
    (Failure.REFUSED, 1, TryAgain(5.0, alone=True, pause_all=True)),
    (Failure.REFUSED, 2, GiveUp(stops_run=True)),
    (Failure.MISCONFIGURED, 1, GiveUp(stops_run=True)),
]


@pytest.mark.parametrize(("failure", "attempt", "decision"), DECISIONS)
def test_every_class_of_failure_has_its_own_remedy(
    failure: Failure, attempt: int, decision: Decision
) -> None:
    assert decide(failure, attempt, random=middle) == decision


def test_the_table_knows_every_failure() -> None:
    assert {row[0] for row in DECISIONS} == set(Failure)


@pytest.mark.parametrize(
    ("failure", "attempt", "depth", "decision"),
    [
        (Failure.INCOMPLETE, 3, 1, Split()),
        (Failure.INCOMPLETE, 3, 2, GiveUp()),
        (Failure.NO_AUDIO, 1, 1, TryAgain(1.0)),
        (Failure.NO_AUDIO, 2, 1, Split()),
        (Failure.NO_AUDIO, 2, 5, GiveUp()),
        (Failure.BAD_REQUEST, 1, 1, GiveUp()),
        (Failure.TOO_LONG, 1, 4, Split()),
        (Failure.TOO_LONG, 1, 5, GiveUp()),
    ],
)
def test_halving_ends(failure: Failure, attempt: int, depth: int, decision: Decision) -> None:
    assert decide(failure, attempt, random=middle, depth=depth) == decision


@pytest.mark.parametrize(
    ("wish_s", "wait_s"),
    [
        (None, 3.75),
        (7.0, 7.0),
        (0.5, 0.5),
        (86_400.0, 600.0),
        (0.0, 3.75),
        (-3.0, 3.75),
        (float("nan"), 3.75),
        (float("inf"), 3.75),
    ],
)
def test_the_service_s_own_wish_wins(wish_s: float | None, wait_s: float) -> None:
    found = decide(Failure.OVERLOAD, 1, random=middle, retry_after_s=wish_s)
    assert found == TryAgain(wait_s, pause_all=True)


@pytest.mark.parametrize(
    ("overloads", "wait_s"), [(0, 3.75), (1, 3.75), (2, 7.5), (3, 15.0), (7, 225.0), (999, 225.0)]
)
def test_the_pause_doubles_with_every_overload_in_a_row(overloads: int, wait_s: float) -> None:
    found = decide(Failure.OVERLOAD, 1, random=middle, consecutive_overloads=overloads)
    assert found == TryAgain(wait_s, pause_all=True)


@pytest.mark.parametrize(
    ("failure", "row", "decision"),
    [
        (Failure.TRANSIENT, 2, TryAgain(0.5)),
        (Failure.TRANSIENT, 3, TryAgain(3.0, alone=True, pause_all=True)),
        (Failure.TRANSIENT, 4, TryAgain(6.0, alone=True, pause_all=True)),
        (Failure.TRANSIENT, 99, TryAgain(22.5, alone=True, pause_all=True)),
        (Failure.INCOMPLETE, 2, TryAgain(0.5, alone=True)),
        (Failure.INCOMPLETE, 3, TryAgain(3.0, alone=True, pause_all=True)),
        (Failure.NO_AUDIO, 3, TryAgain(3.0, alone=True, pause_all=True)),
        (Failure.OVERLOAD, 3, TryAgain(3.75, pause_all=True)),
        (Failure.REFUSED, 3, TryAgain(5.0, alone=True, pause_all=True)),
    ],
)
def test_where_the_line_is_down_one_piece_probes_and_the_others_wait(
    failure: Failure, row: int, decision: Decision
) -> None:
    assert decide(failure, 1, random=middle, failures_in_row=row) == decision


@given(
    st.sampled_from(Failure),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 100),
)
@settings(max_examples=300)
def test_waits_are_bounded_and_tries_end(
    failure: Failure,
    attempt: int,
    chance: float,
    wish_s: float | None,
    overloads: int,
    row: int,
    depth: int,
) -> None:
    found = decide(
        failure,
        attempt,
        random=lambda: chance,
        retry_after_s=wish_s,
        consecutive_overloads=overloads,
        failures_in_row=row,
        depth=depth,
    )
    if isinstance(found, TryAgain):
        assert attempt < retry_policy.OVERLOAD_TRIES
        assert 0 <= found.wait_s <= retry_policy.RETRY_AFTER_MOST_S
    if isinstance(found, Split):
        assert depth < retry_policy.NO_AUDIO_DEPTH


def failing(circuit: Circuit, *times_s: float, failure: Failure = Failure.TRANSIENT) -> Circuit:
    for now_s in times_s:
        circuit = circuit.after_failure(failure, now_s)
    return circuit


@pytest.mark.parametrize(
    ("times_s", "now_s", "stops"),
    [
        ([], 10_000.0, ""),
        ([1.0] * 8, 1.0, ""),
        ([1.0] * 8, 31.0, "8 tries in a row have failed"),
        ([1.0] * 7, 31.0, ""),
        ([1.0] * 24, 1.0, "24 tries in a row have failed"),
        ([1.0], 299.0, ""),
        ([1.0], 300.0, "nothing has succeeded for 5 minutes"),
    ],
)
def test_the_circuit_stops_a_run_that_never_succeeded(
    times_s: list[float], now_s: float, stops: str
) -> None:
    assert failing(Circuit(since_s=0.0), *times_s).stops(now_s) == stops


def test_a_success_closes_the_circuit_and_earns_more_patience() -> None:
    before = failing(Circuit(since_s=0.0), *range(8))
    after = before.after_success(50.0)
    assert after.stops(10_000.0) == ""
    assert failing(after, *[60.0] * 8).stops(149.0) == ""
    assert failing(after, *[60.0] * 8).stops(150.0) == "8 tries in a row have failed"
    assert failing(after, 60.0).stops(649.0) == ""
    assert failing(after, 60.0).stops(650.0) == "nothing has succeeded for 10 minutes"


def test_overloads_are_counted_until_the_next_success() -> None:
    circuit = failing(Circuit(since_s=0.0), 1.0, 2.0, failure=Failure.OVERLOAD)
    circuit = failing(circuit, 3.0)
    assert (circuit.consecutive_overloads, circuit.failures_in_row) == (2, 3)
    assert circuit.after_success(4.0).consecutive_overloads == 0


def test_a_service_that_answers_503_to_everything_is_asked_a_few_times_a_minute() -> None:
    circuit, now_s, asked_s = Circuit(since_s=0.0), 0.0, []
    while not circuit.stops(now_s):
        asked_s.append(now_s)
        circuit = circuit.after_failure(Failure.OVERLOAD, now_s)
        found = decide(
            Failure.OVERLOAD,
            1,
            random=lambda: 0.0,
            consecutive_overloads=circuit.consecutive_overloads,
        )
        assert isinstance(found, TryAgain)
        now_s += found.wait_s
    assert len([at for at in asked_s if at < 60]) <= 5
    assert len(asked_s) <= 8
    assert now_s < 15 * 60


# --- the limit ---


def after_all(limit: Limit, signs: str, *, step_s: float = 1.0) -> list[int]:
    """The limit after each sign: + whole, d damaged, o overload, t dropped; a second each."""
    meant = {"+": None, "d": Failure.NO_AUDIO, "o": Failure.OVERLOAD, "t": Failure.TRANSIENT}
    found = []
    for number, sign in enumerate(signs):
        limit = limit.after(meant[sign], number * step_s)
        found.append(limit.now)
    return found


@pytest.mark.parametrize(
    ("start", "most", "signs", "limits"),
    [
        (2, 4, "++++", [3, 4, 4, 4]),
        (1, 1, "+++", [1, 1, 1]),
        (8, 8, "o", [4]),
        (8, 8, "ooo", [4, 4, 4]),
        (8, 8, "o++++++++++o", [4] * 11 + [2]),
        (1, 4, "o++", [1, 1, 1]),
        (4, 4, "t++", [4, 4, 4]),
        (4, 4, "d+d", [4, 4, 2]),
        (4, 4, "d" + "+" * 18 + "d", [4] * 19 + [2]),
        (4, 4, "d" + "+" * 19 + "d", [4] * 21),
        (4, 4, "d+d+d", [4, 4, 2, 2, 2]),
        (1, 1, "dddd", [1, 1, 1, 1]),
        (1, 4, "d+++++", [1, 2, 3, 4, 4, 4]),
        (1, 4, "dd+dd+ddo", [1, 1, 2, 2, 2, 3, 3, 3, 1]),  # the load was not to blame
        (2, 4, "dd" + "+" * 9 + "dd+", [2, 1] + [1] * 9 + [1, 1, 2]),
    ],
)
def test_the_limit_follows_what_happens(
    start: int, most: int, signs: str, limits: list[int]
) -> None:
    assert after_all(Limit(start, most), signs) == limits


@pytest.mark.parametrize(
    ("signs", "grows"),
    [
        ("+" * 60, True),
        ("+" * 59, False),  # a minute has not passed
        ("+" * 31 + "t" + "+" * 29, False),  # not thirty in a row
        ("+" * 30 + "t" + "+" * 30, True),
    ],
)
def test_after_a_cut_it_grows_slowly(signs: str, grows: bool) -> None:
    assert after_all(Limit(4, 8), "o" + signs)[-1] == (3 if grows else 2)


def test_thirty_clean_pieces_are_needed_however_long_they_take() -> None:
    limits = after_all(Limit(4, 8), "o" + "+" * CLEAN_TO_GROW, step_s=100.0)
    assert limits[-2:] == [2, 3]


@pytest.mark.parametrize(("now", "most"), [(0, 4), (5, 4), (-1, 4)])
def test_an_impossible_limit_is_a_bug(now: int, most: int) -> None:
    with pytest.raises(ValueError, match="a limit of"):
        Limit(now, most)


@given(
    st.integers(1, 8),
    st.integers(0, 8),
    st.lists(st.tuples(st.none() | st.sampled_from(Failure), st.floats(0, 100)), max_size=200),
)
@settings(max_examples=150)
def test_the_limit_stays_between_one_and_the_most(
    start: int, more: int, happened: list[tuple[Failure | None, float]]
) -> None:
    limit, now_s, cuts_s = Limit(start, start + more), 0.0, []
    for failure, step_s in happened:
        now_s += step_s
        before, limit = limit, limit.after(failure, now_s)
        assert 1 <= limit.now <= limit.most
        assert limit.now in (before.now - 1, before.now, before.now + 1, before.now // 2)
        assert len(limit.recent) <= 20
        if limit.now < before.now:
            cuts_s.append(now_s)
    assert all(later - earlier >= CUT_EVERY_S for earlier, later in pairwise(cuts_s))


@given(
    st.floats(0, 60),
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 1, exclude_max=True)), min_size=2, max_size=12
    ),
)
@settings(max_examples=100)
def test_starts_are_never_a_burst(gap_s: float, visits: list[tuple[float, float]]) -> None:
    spacing, now_s, starts = Spacing(gap_s, 0.0, 0.0), 0.0, []
    for late_s, chance in visits:
        now_s = max(now_s + late_s, spacing.next_s)
        starts.append(now_s)
        spacing = spacing.after_start(now_s, partial(float, chance))
    assert all(b - a >= gap_s / 3 - 1e-9 for a, b in pairwise(starts))


def test_a_crowd_starts_by_the_gap_and_a_late_one_is_followed_sooner() -> None:
    spacing, now_s, starts = Spacing(0.3, 0.0, 0.0), 0.0, []
    for late_s in (0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0):
        now_s = max(now_s + late_s, spacing.next_s)
        starts.append(now_s)
        spacing = spacing.after_start(now_s, middle)
    gaps = [b - a for a, b in pairwise(starts)]
    assert gaps == pytest.approx([0.3, 0.3, 10.0, 0.1, 0.1, 0.1, 0.3])
