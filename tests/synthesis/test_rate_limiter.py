"""The gate: never more than the limit, in reading order, apart in time, and nobody in a pause."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

from tests.fakes import Time, in_time
from tts_book.synthesis.rate_limiter import Gate


async def visit(
    gate: Gate, time: Time, order: int, stays_s: float, seen: list[tuple[int, float]], alone: bool
) -> None:
    async with gate.enter(order, alone=alone):
        seen.append((order, time.clock()))
        await time.sleep(stays_s)


def visits(
    limit: int,
    spacing_s: float,
    orders: list[int],
    *,
    stays_s: float = 1.0,
    alone: frozenset[int] = frozenset(),
    pause_s: float = 0.0,
) -> tuple[list[tuple[int, float]], int]:
    seen: list[tuple[int, float]] = []
    most = 0

    async def work(time: Time) -> None:
        nonlocal most
        gate = Gate(limit, spacing_s, time.tools())
        if pause_s:
            gate.pause(pause_s)
        letting_in = asyncio.create_task(gate.run())
        await asyncio.gather(
            *(visit(gate, time, order, stays_s, seen, order in alone) for order in orders)
        )
        most = gate.most_in_flight
        letting_in.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await letting_in

    in_time(work)
    return seen, most


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_never_more_than_the_limit_are_inside(limit: int) -> None:
    seen, most = visits(limit, 0.0, list(range(12)))
    assert len(seen) == 12
    assert most == limit


def test_waiters_enter_in_reading_order_whenever_they_came() -> None:
    seen, _ = visits(1, 0.0, [5, 3, 9, 1])
    assert [order for order, _ in seen] == [1, 3, 5, 9]


def test_starts_are_apart_by_the_spacing() -> None:
    seen, _ = visits(10, 0.3, list(range(6)), stays_s=0.01)
    starts = [start for _, start in seen]
    assert all(later - sooner >= 0.299 for sooner, later in itertools.pairwise(starts))


def test_nobody_enters_during_a_pause() -> None:
    seen, _ = visits(4, 0.0, [1, 2], pause_s=60)
    assert all(start >= 60 for _, start in seen)


def test_one_who_must_be_alone_shares_with_nobody() -> None:
    seen, _ = visits(4, 0.0, list(range(6)), alone=frozenset({2}))
    starts = dict(seen)
    others = [start for order, start in seen if order != 2]
    assert all(abs(start - starts[2]) >= 1.0 for start in others)


def test_a_waiter_that_gives_up_leaves_its_place_to_the_next() -> None:
    async def work(time: Time) -> None:
        gate = Gate(1, 0.0, time.tools())
        letting_in = asyncio.create_task(gate.run())
        seen: list[tuple[int, float]] = []
        first = asyncio.create_task(visit(gate, time, 1, 5, seen, False))
        await asyncio.sleep(0)
        second = asyncio.create_task(visit(gate, time, 2, 5, seen, False))
        third = asyncio.create_task(visit(gate, time, 3, 5, seen, False))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, second, third, return_exceptions=True)
        assert [order for order, _ in seen] == [1, 3]
        assert gate.in_flight == 0
        letting_in.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await letting_in

    in_time(work)


def test_an_open_gate_keeps_nobody() -> None:
    async def work(time: Time) -> None:
        gate = Gate(1, 10.0, time.tools())
        gate.pause(10_000)
        seen: list[tuple[int, float]] = []
        waiting = [asyncio.create_task(visit(gate, time, n, 1, seen, False)) for n in range(5)]
        await asyncio.sleep(0)
        gate.open_wide()
        late = asyncio.create_task(visit(gate, time, 9, 1, seen, False))
        await asyncio.gather(*waiting, late)
        assert {start for _, start in seen} == {0.0}

    in_time(work)
