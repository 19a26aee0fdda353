"""What happens inside a room, told to whoever looks for a fault. By default nobody listens, and
then nothing is made up to be told.

Events say what becomes of the chunks; notes say how it came to that: the frames of a conversation
with a service, what was found in the cache, which model speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened in `room`. `of` is the request that it belongs to, `since_ms` counts
    from when that began. `text` holds no secret, but may hold any character."""

    room: str
    text: str
    of: str = ""
    since_ms: int | None = None


Trace = Callable[[Note], None]

# "3/17", the chunk that the task at hand speaks. A backend is given a text and not told whose it
# is; this way its notes lead to the chunk all the same, also when several are on their way.
CHUNK: ContextVar[str] = ContextVar("CHUNK", default="")


def tell(trace: Trace | None, room: str, text: str) -> None:
    """Tells a note, if anybody listens."""
    if trace is not None:
        trace(Note(room, text))
