"""One connection ahead: at most one, none where it does harm, none left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests import leaping
from tests.backends.edge.faults import crowd, script
from tests.backends.edge.service import Pace
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_backend import RUSSIAN, TEXT, against, whole
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.backends.edge.session import IDLE_S, RECOVERY_S, RECOVERY_TURNS
from tts_book.errors import BackendError, Failure
from tts_book.model import Speech

SLOW_TO_CONNECT = Pace(0.4, 0.1, 0.6, 90.0)


async def speak(backend: EdgeBackend, *, follows: bool = True) -> Speech:
    if follows:
        backend.preconnect()
    return await backend.speak(TEXT, RUSSIAN)


async def wait(seconds: float) -> None:
    """Of the loop's time, which leaps."""
    await asyncio.sleep(seconds)


def test_only_the_first_request_waits_for_its_handshake() -> None:
    service = EdgeSimulator(pace=SLOW_TO_CONNECT, clock=leaping.clock)

    async def work(backend: EdgeBackend) -> list[float]:
        clock, took_s = leaping.clock, []
        for number in range(4):
            began_s = clock()
            assert whole(await speak(backend, follows=number < 3))
            took_s.append(clock() - began_s)
        return took_s

    took_s = against(service, work)
    assert took_s[0] == pytest.approx(took_s[1] + SLOW_TO_CONNECT.connect_s, abs=0.05)
    assert service.statistics.speeches == service.statistics.turns == 4
    assert service.statistics.most_turns == 1
    assert service.statistics.most_open == 2


def test_there_is_never_more_than_one_ahead() -> None:
    service = EdgeSimulator(pace=SLOW_TO_CONNECT, clock=leaping.clock)

    async def work(backend: EdgeBackend) -> None:
        await asyncio.gather(*(speak(backend) for _ in range(4)))
        await asyncio.gather(*(speak(backend, follows=False) for _ in range(4)))

    against(service, work)
    assert service.statistics.turns == 8
    assert service.statistics.most_open <= 5


def test_without_a_request_to_follow_none_is_opened() -> None:
    service = EdgeSimulator()

    async def work(backend: EdgeBackend) -> None:
        for _ in range(3):
            await speak(backend, follows=False)
            await wait(1)

    against(service, work)
    assert service.statistics.speeches == 3
    assert service.statistics.most_open == 1


def test_one_that_nobody_takes_is_closed_soon() -> None:
    service = EdgeSimulator()

    async def work(backend: EdgeBackend) -> list[int]:
        await speak(backend)
        await wait(IDLE_S / 2)
        early = service.open
        await wait(IDLE_S)
        late = service.open
        await speak(backend, follows=False)
        return [early, late]

    assert against(service, work) == [1, 0]
    assert service.statistics.speeches == 3


def test_it_is_closed_with_the_backend() -> None:
    service = EdgeSimulator()

    async def work(backend: EdgeBackend) -> int:
        await speak(backend)
        await wait(1)
        await backend.aclose()
        await wait(0.1)
        return service.open

    assert against(service, work) == 0
    assert service.statistics.speeches == 2


REFUSALS = ["http_503", "http_429_wait", "http_500", "reset_in_tls", "refused"]


@pytest.mark.parametrize("fault", [*REFUSALS, "closed_at_once"])
def test_one_that_fails_or_is_closed_costs_nothing(fault: str) -> None:
    service = EdgeSimulator(script(None, fault))

    async def work(backend: EdgeBackend) -> None:
        await speak(backend)
        await wait(1)
        assert whole(await speak(backend, follows=False))

    against(service, work)
    assert service.statistics.turns == 2


def connections(service: EdgeSimulator, work: Callable[[EdgeBackend], Awaitable[None]]) -> int:
    against(service, work)
    return service.statistics.connections


@pytest.mark.parametrize("fault", ["http_429", "http_503", "1007_throttled"])
def test_an_overloaded_service_gets_no_spare_until_it_has_recovered(fault: str) -> None:
    async def work(backend: EdgeBackend) -> None:
        with pytest.raises(BackendError) as caught:
            await speak(backend)
        assert caught.value.failure is Failure.OVERLOAD
        for _ in range(RECOVERY_TURNS):
            await speak(backend)
            await wait(0.5)
        assert service.statistics.connections == 1 + spares + RECOVERY_TURNS
        await wait(RECOVERY_S)
        await speak(backend)
        await wait(1)
        assert service.statistics.connections == 1 + spares + RECOVERY_TURNS + 2

    # A service that throttles in the middle of a turn had let the next connection in before.
    spares = 1 if fault == "1007_throttled" else 0
    service = EdgeSimulator(script(fault))
    against(service, work)


def test_a_service_that_counts_connections_is_not_asked_for_more_again_and_again() -> None:
    service = EdgeSimulator(crowd(1), pace=SLOW_TO_CONNECT, clock=leaping.clock)

    async def work(backend: EdgeBackend) -> None:
        for _ in range(2 * RECOVERY_TURNS):
            assert whole(await speak(backend))
            await wait(2)

    against(service, work)
    assert service.statistics.refusals[503] <= 2
    assert service.statistics.turns == 2 * RECOVERY_TURNS


def test_whoever_waits_for_the_spare_is_told_why_it_failed() -> None:
    """It is the connection of that request: to open another at once would ask too much."""
    service = EdgeSimulator(script(None, "http_503"), pace=SLOW_TO_CONNECT, clock=leaping.clock)

    async def work(backend: EdgeBackend) -> None:
        first = asyncio.create_task(speak(backend))
        await wait(0.5)  # the spare is being opened
        with pytest.raises(BackendError) as caught:
            await speak(backend, follows=False)
        assert caught.value.failure is Failure.OVERLOAD
        assert whole(await first)

    against(service, work)
    assert service.statistics.connections == 2


def test_a_request_that_is_cancelled_takes_its_connection_with_it() -> None:
    service = EdgeSimulator(pace=SLOW_TO_CONNECT, clock=leaping.clock)

    async def work(backend: EdgeBackend) -> int:
        first = asyncio.create_task(speak(backend))
        await wait(0.5)
        second = asyncio.create_task(speak(backend, follows=False))
        await wait(0.1)
        second.cancel()
        await asyncio.wait([first, second])
        await wait(1)
        assert second.cancelled()
        assert whole(first.result())
        return service.open

    assert against(service, work) == 0
    assert service.statistics.turns == 1


def test_it_does_not_outlive_its_event_loop() -> None:
    made: list[EdgeBackend] = []

    async def once(port: int) -> int:
        from tests.backends.edge.test_backend import backend_of

        async with EdgeSimulator(port=port) as service:
            made.append(made[0] if made else backend_of(service))
            assert whole(await speak(made[0]))
            await wait(0.5)
            assert whole(await speak(made[0], follows=False))
            if port:
                await made[0].aclose()
            return service.port

    leaping.run(once(leaping.run(once(0))))
