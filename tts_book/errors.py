"""What can go wrong.

TtsBookError
├── UserError                 the user can fix it: exit 2
├── SourceDamaged             parts of a book are missing in its file: exit 1
├── ClusterLost               the scheduler or all workers of a cluster are gone: exit 1
├── AudioError                a codec or a file failed: exit 1
└── BackendError              fails its chunk, never the job by itself
    ├── BackendRefused        no use trying again: this voice, this text, this account
    ├── BackendUnavailable    try later: timeout, overload, dropped connection
    └── BackendIncomplete     audio came, but not all of it, or none

Each backend error also says its `Failure`: the finer class that picks the remedy.
"""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """Why a backend failed; every class has a remedy of its own (see `retry`)."""

    TRANSIENT = "transient"  # dropped connection, silence, a 5xx: soon again
    OVERLOAD = "overload"  # 429, 503, "throttled": slower, later
    INCOMPLETE = "incomplete"  # sound is missing or does not fit the text
    NO_AUDIO = "no audio"  # a complete answer without sound
    BAD_REQUEST = "bad request"  # this text cannot be spoken as it was sent
    TOO_LONG = "too long"  # this text is more than one request may hold
    REFUSED = "refused"  # the service turns us away: account, region, version
    MISCONFIGURED = "misconfigured"  # unknown voice, broken proxy, untrusted certificate


class TtsBookError(Exception):
    """Everything this program raises on purpose."""


class UserError(TtsBookError):
    """The user can fix it. The message is one line: what, which, how to fix it."""


class SourceDamaged(TtsBookError):
    """Parts of a book are missing in its file, and the user did not allow that."""


class ClusterLost(TtsBookError):
    """The scheduler of a cluster is gone, or nobody there can speak. What is spoken is kept."""


class AudioError(TtsBookError):
    """A codec or an audio file failed."""


class BackendError(TtsBookError):
    """A speech service failed at one chunk.

    `failure` is the class of it; `stops_run` is true where no other chunk can fare better.
    """

    default = Failure.TRANSIENT

    def __init__(
        self, message: str, failure: Failure | None = None, *, stops_run: bool = False
    ) -> None:
        super().__init__(message)
        self.failure = failure or self.default
        self.stops_run = stops_run


class BackendRefused(BackendError):
    """No use trying again: this voice, this text, this account."""

    default = Failure.BAD_REQUEST


def misconfigured(message: str) -> BackendRefused:
    """The error for what no retry can fix: no other chunk would fare better."""
    return BackendRefused(message, Failure.MISCONFIGURED, stops_run=True)


class BackendUnavailable(BackendError):
    """Try later. `retry_after_s` is what the service asks for, if it does."""

    def __init__(
        self,
        message: str,
        failure: Failure | None = None,
        *,
        stops_run: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, failure, stops_run=stops_run)
        self.retry_after_s = retry_after_s


class BackendIncomplete(BackendError):
    """Audio came, but not all of it.

    `print_of_reply` is equal for two replies that are alike (length of sound, end of marks), so
    that a caller can tell a text that always sounds odd from a reply that was damaged once;
    `speech` is that reply, where there is one worth keeping.
    """

    default = Failure.INCOMPLETE

    def __init__(
        self,
        message: str,
        failure: Failure | None = None,
        *,
        print_of_reply: tuple[int, ...] = (),
        speech: object | None = None,
    ) -> None:
        super().__init__(message, failure)
        self.print_of_reply = print_of_reply
        self.speech = speech
