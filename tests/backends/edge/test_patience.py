"""How long to wait: generous at first, then as the service shows, and never for a frozen line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests import leaping
from tests.backends.edge.faults import NAMED, Fault, script
from tests.backends.edge.service import Pace as ServicePace
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_backend import RUSSIAN, TEXT, against, whole
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.backends.edge.exchange import LONGEST_S, Pace, Patience, Timeouts, TurnLimits
from tts_book.errors import BackendError, Failure

QUICK = Pace(0.2, 0.3, 0.1, 600_000)


def after(whole: Sequence[Pace], stalls: Sequence[int] = ()) -> Patience:
    """What is known after these whole replies and stalls at so many bytes."""
    patience = Patience(Timeouts())
    for pace in whole:
        patience.learn_whole(pace)
    for size in stalls:
        patience.learn_stall(replace(QUICK, size_bytes=size))
    return patience


LIMITS = [
    ([], [], TurnLimits(27, 60, 20)),
    ([QUICK], [], TurnLimits(27, 60, 20)),
    ([QUICK] * 3, [], TurnLimits(10, 20, 20)),
    ([QUICK] * 3, [0], TurnLimits(10, 20, 20)),
    ([QUICK] * 3, [500], TurnLimits(15, 30, 30)),
    ([QUICK] * 3, [500, 500], TurnLimits(22.5, 45, 45)),
    ([QUICK] * 3, [500] * 9, TurnLimits(LONGEST_S, LONGEST_S, LONGEST_S)),
    ([Pace(1, 25, 0.1)] + [QUICK] * 3, [], TurnLimits(10, 75, 20)),
    ([Pace(1, 25, 0.1)] + [QUICK] * 20, [], TurnLimits(10, 20, 20)),
    ([Pace(25, 26, 18)] * 3, [], TurnLimits(75, 78, 54)),
    ([Pace(80, 90, 70)] * 3, [], TurnLimits(LONGEST_S, LONGEST_S, LONGEST_S)),
    # A line that may be frozen is not waited for any longer.
    ([], [16_000, 17_000], TurnLimits(27, 60, 20)),
    ([], [16_000, 50_000], TurnLimits(27 * 1.5, 90, 30)),
]


@pytest.mark.parametrize(("whole", "stalls", "limits"), LIMITS)
def test_limits_follow_what_was_seen(
    whole: list[Pace], stalls: list[int], limits: TurnLimits
) -> None:
    assert after(whole, stalls).limits() == limits


def test_a_turn_may_take_as_long_as_it_plays() -> None:
    times = Timeouts()
    assert times.whole_s(5) == 60
    assert times.whole_s(100) == 100
    assert times.whole_s(1e6) == 300


FROZEN = [
    (16_000, [16_000, 20_000, 17_000], True),
    (0, [156_000, 150_000, 160_000], True),
    (40_000, [156_000, 150_000, 160_000], True),  # a heading comes whole, a paragraph never
    (0, [16_000, 16_000], False),
    (0, [16_000, 40_000, 17_000], False),
    (0, [900, 16_000, 40_000, 16_000, 17_000, 16_500], True),
    (600_000, [16_000, 16_000, 16_000], False),  # it is not the line that stops there
    (0, [0, 0, 0], False),
    (0, [3_000, 3_000, 3_000], False),
]


@pytest.mark.parametrize(("longest", "stalls", "frozen"), FROZEN)
def test_a_line_that_freezes_is_told_from_a_slow_one(
    longest: int, stalls: list[int], frozen: bool
) -> None:
    patience = after([replace(QUICK, size_bytes=longest)] * 4 if longest else [])
    found = [patience.learn_stall(replace(QUICK, size_bytes=size)) for size in stalls]
    assert [trouble is not None for trouble in found] == [False] * (len(stalls) - 1) + [frozen]
    if (trouble := found[-1]) is not None:
        assert trouble.stops_run
        for helps in ("--proxy", "socks5h", "relay", "--backend piper"):
            assert helps in trouble.fix


# Against the simulated service


def spoken(service: EdgeSimulator, times: int) -> tuple[int, float]:
    """How many of so many requests, one after the other, came whole, and the seconds they took."""

    async def work(backend: EdgeBackend) -> tuple[int, float]:
        clock, good = leaping.clock, 0
        began_s = clock()
        for _ in range(times):
            try:
                good += whole(await backend.speak(TEXT, RUSSIAN))
            except BackendError as error:
                assert error.failure in (Failure.TRANSIENT, Failure.MISCONFIGURED)
        return good, clock() - began_s

    return against(service, work)


@pytest.mark.parametrize("first_sound_s", [25.0, 50.0])
def test_a_service_that_thinks_before_it_speaks_is_waited_for(first_sound_s: float) -> None:
    service = EdgeSimulator(pace=ServicePace(0.3, 0.2, first_sound_s, 90.0), clock=leaping.clock)
    good, took_s = spoken(service, 5)
    assert good == 5
    assert took_s > 5 * first_sound_s
    assert service.statistics.speeches == 5


SILENT = [("silent_before_start", 81.5), ("silent_socket", 81.5), ("silent_midway", 95.5)]


@pytest.mark.parametrize(("fault", "at_most_s"), SILENT)
def test_a_service_that_never_answers_is_waited_for_in_bounds(fault: str, at_most_s: float) -> None:
    good, took_s = spoken(EdgeSimulator(script(then=fault)), 3)
    assert good == 0
    assert took_s < at_most_s


@pytest.mark.parametrize("size", [16_000, 40_000, 100_000])
def test_a_frozen_line_is_found_out_in_under_a_minute(size: int) -> None:
    frozen = replace(NAMED["frozen"], size=size)

    async def work(backend: EdgeBackend) -> tuple[list[BackendError], float]:
        async def one() -> BackendError:
            with pytest.raises(BackendError) as caught:
                await backend.speak(TEXT, RUSSIAN)
            return caught.value

        errors = list(await asyncio.gather(one(), one()))
        return [*errors, await one()], leaping.clock()

    errors, took_s = against(EdgeSimulator(script(then=frozen)), work)
    assert [error.stops_run for error in errors] == [False, False, True]
    found = re.search(r"after about (\d+) kB", str(errors[-1]))
    assert found is not None
    assert int(found[1]) * 1_000 == pytest.approx(size, rel=0.12)
    assert took_s < 58


def test_a_line_that_froze_once_goes_on() -> None:
    service = EdgeSimulator(script("frozen", None, "frozen", None, "frozen", None))
    assert spoken(service, 6)[0] == 3


LATE: list[tuple[Fault | str | None, float]] = [
    (None, 0.4),
    ("marks_after_end", 0.4),
    # What never comes is waited for three times.
    ("marks_behind", 0.4),
]


@pytest.mark.parametrize(("fault", "at_most_s"), LATE, ids=str)
def test_late_marks_cost_nothing_where_they_come(
    fault: Fault | str | None, at_most_s: float
) -> None:
    good, took_s = spoken(EdgeSimulator(script(then=fault)), 5)
    assert good == 5
    assert took_s < at_most_s


def test_marks_that_never_come_are_awaited_three_times() -> None:
    async def work(backend: EdgeBackend) -> list[float]:
        clock, times = leaping.clock, []
        for _ in range(5):
            began_s = clock()
            with pytest.raises(BackendError):
                await backend.speak(TEXT, RUSSIAN)
            times.append(clock() - began_s)
        return times

    took_s = against(EdgeSimulator(script(then="hole_at_end")), work)
    assert [round(each, 1) for each in took_s] == [0.5, 0.5, 0.5, 0.0, 0.0]
