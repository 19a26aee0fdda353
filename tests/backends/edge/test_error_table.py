"""The border: no foreign exception passes it unknown, no secret passes it at all."""

from __future__ import annotations

import inspect
import socket
import ssl
from types import ModuleType

import aiohttp
import edge_tts.exceptions
import pytest
from aiohttp import client_exceptions, http_websocket
from hypothesis import given
from hypothesis import strategies as st

from tts_book.backends.edge.failures import (
    TABLE,
    ErrorContext,
    ServiceTrouble,
    find_rule,
    http_date,
    of_close,
    of_status,
    plain,
    retry_after,
    translate_error,
)
from tts_book.errors import BackendError, Failure

MODULES = [client_exceptions, edge_tts.exceptions, http_websocket]


def exceptions(module: ModuleType) -> list[type[BaseException]]:
    """The exception classes that a library itself defines there."""
    found = [value for _, value in inspect.getmembers(module, inspect.isclass)]
    package = module.__name__.partition(".")[0]
    return [c for c in found if issubclass(c, BaseException) and c.__module__.startswith(package)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_class_of_the_libraries_is_in_the_table(module: ModuleType) -> None:
    unknown = [kind for kind in exceptions(module) if find_rule(kind) is None]
    assert exceptions(module)
    assert not unknown


def test_an_error_of_an_unknown_kind_is_told_by_its_name() -> None:
    class Novel(Exception):
        pass

    assert "Novel" in translate_error(Novel(), ErrorContext("dreaming")).what


@pytest.mark.parametrize("rule", TABLE.values(), ids=TABLE)
def test_every_rule_bears_a_bare_exception(rule: object) -> None:
    assert callable(rule)
    assert isinstance(rule(Exception("x"), ErrorContext()), ServiceTrouble)


RAISED: list[tuple[BaseException, bool, Failure]] = [
    (TimeoutError(), False, Failure.TRANSIENT),
    (ConnectionRefusedError(111, "Connection refused"), False, Failure.TRANSIENT),
    (socket.gaierror(-2, "Name or service not known"), False, Failure.TRANSIENT),
    (ssl.SSLCertVerificationError(1, "certificate verify failed"), True, Failure.MISCONFIGURED),
    (ssl.SSLEOFError(8, "EOF occurred"), False, Failure.TRANSIENT),
    (aiohttp.ServerDisconnectedError(), True, Failure.TRANSIENT),
    (aiohttp.InvalidURL("://"), False, Failure.MISCONFIGURED),
    (edge_tts.exceptions.NoAudioReceived("none"), False, Failure.NO_AUDIO),
]


@pytest.mark.parametrize(("error", "proven", "failure"), RAISED, ids=lambda value: str(value)[:30])
def test_classes(error: BaseException, proven: bool, failure: Failure) -> None:
    trouble = translate_error(error, ErrorContext(proven=proven))
    assert trouble.failure is failure
    assert trouble.stops_run == (failure is Failure.MISCONFIGURED)
    assert isinstance(trouble.error(), BackendError)


CLOSED = [
    (1000, "", Failure.TRANSIENT),
    (1006, "", Failure.TRANSIENT),
    (None, "", Failure.TRANSIENT),
    (1007, "SSML is invalid", Failure.BAD_REQUEST),
    (1007, "Throttled due to too many requests", Failure.OVERLOAD),
    (1007, "exceeded the configured maximum media duration of 600000ms", Failure.TOO_LONG),
    (1007, "Unsupported voice X", Failure.MISCONFIGURED),
    (1009, "", Failure.TOO_LONG),
    (1011, "", Failure.TRANSIENT),
    (1013, "try later", Failure.OVERLOAD),
    (4429, "quota exceeded", Failure.OVERLOAD),
]


@pytest.mark.parametrize(("code", "reason", "failure"), CLOSED)
def test_close_codes_and_reasons(code: int | None, reason: str, failure: Failure) -> None:
    trouble = of_close(code, reason, "before any sound")
    assert trouble.failure is failure
    assert reason in trouble.what


STATUSES = [
    (200, Failure.TRANSIENT),
    (400, Failure.BAD_REQUEST),
    (401, Failure.REFUSED),
    (403, Failure.REFUSED),
    (404, Failure.REFUSED),
    (407, Failure.MISCONFIGURED),
    (408, Failure.TRANSIENT),
    (429, Failure.OVERLOAD),
    (500, Failure.TRANSIENT),
    (503, Failure.OVERLOAD),
    (504, Failure.TRANSIENT),
]


@pytest.mark.parametrize(("status", "failure"), STATUSES)
def test_statuses(status: int, failure: Failure) -> None:
    assert of_status(status, None, 0).failure is failure


WAITS = [
    ("120", 120.0),
    (" 5 ", 5.0),
    ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ("soon", None),
    ("", None),
    (None, None),
    ("-3", None),
    ("²", None),
]


@pytest.mark.parametrize(("value", "wait_s"), WAITS)
def test_retry_after(value: str | None, wait_s: float | None) -> None:
    assert retry_after(value, now_s=10.0) == wait_s


@given(st.text())
def test_any_header_is_borne(value: str) -> None:
    http_date(value)
    wait_s = retry_after(value, 0.0)
    assert wait_s is None or wait_s >= 0


@given(st.text())
def test_what_strangers_say_is_one_short_line(value: str) -> None:
    told = plain(value + " https://example.org/?key=6A5AA1D4EAFF4E9FB37E23D68491D6F4")
    assert len(told) <= 160
    assert "\n" not in told
    assert "6A5AA1D4" not in told
