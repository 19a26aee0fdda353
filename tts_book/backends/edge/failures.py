"""What happened, what to do about it, and of which class it is: failures inside this room."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
)

_INCOMPLETE = (Failure.INCOMPLETE, Failure.NO_AUDIO)
_UNAVAILABLE = (Failure.TRANSIENT, Failure.OVERLOAD)

UPDATE = (
    "Update edge-tts (pip install -U edge-tts); where the region is blocked, use a VPN or "
    "--proxy URL."
)
NETWORK = "Check the network; where the service is blocked, use --proxy URL."
PROXY = "Check --proxy, HTTPS_PROXY and ALL_PROXY."
NO_SOUND = "Where it stays so, another voice, another network or --proxy URL may help."
LATER = "It is worth trying again."


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happened, what to do about it, and of which class it is. `of_config`: perhaps not the
    text but the configuration sent before it was refused."""

    what: str
    mend: str = LATER
    failure: Failure = Failure.TRANSIENT
    retry_after_s: float | None = None
    stops_run: bool = False
    of_config: bool = False

    def error(self) -> BackendError:
        """The exception that tells it."""
        message = f"{self.what}. {self.mend}"
        if self.failure in _INCOMPLETE:
            return BackendIncomplete(message, self.failure)
        if self.failure in _UNAVAILABLE:
            return BackendUnavailable(
                message, self.failure, stops_run=self.stops_run, retry_after_s=self.retry_after_s
            )
        return BackendRefused(message, self.failure, stops_run=self.stops_run)


class Troubled(Exception):
    """Carries a Trouble inside this room. `started`: the answer had begun."""

    def __init__(self, trouble: Trouble, *, started: bool = False) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble
        self.started = started


class Foreign(Exception):
    """Stands for the exception of another library, whose own words may hold a whole address with
    its token: in a traceback, too, only this is to be seen."""


def foreign(error: BaseException, said: str) -> Foreign:
    """`error` by its name, what it `said` (without secrets), and where it was raised."""
    kind = type(error)
    told = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}: {said}"
    return Foreign(told.rstrip(": ")).with_traceback(error.__traceback__)


def plain(text: object, most: int = 160) -> str:
    """`text` of a stranger on one line, short, without addresses and long keys."""
    line = " ".join(str(text).split())
    line = re.sub(r"\w+://\S+", "(address)", line)
    line = re.sub(r"[0-9A-Fa-f]{24,}", "(key)", line)
    line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= most else line[: most - 1] + "…"
