"""Work in a thread that nobody walks away from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


async def to_the_end(work: Callable[_P, _Result], *args: _P.args, **kwargs: _P.kwargs) -> _Result:
    """What `work` gives, carried out in a thread. A task that is cancelled waits for its end: the
    thread goes on all the same, and nothing may be taken away from under it."""
    at_work = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(at_work)
    except asyncio.CancelledError:
        await asyncio.gather(at_work, return_exceptions=True)
        raise
