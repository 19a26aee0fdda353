"""The way to the service, watched: connection, request and the answer's head, without secrets."""

from __future__ import annotations

from contextvars import ContextVar

import aiohttp

from tts_book.backends.edge.redaction import headers, parameters
from tts_book.backends.edge.wire_log import Talk, short

# aiohttp tells its watchers nothing of who asked for a WebSocket; they run in the asker's context.
ASKING: ContextVar[Talk | None] = ContextVar("ASKING", default=None)


def watching() -> aiohttp.TraceConfig:
    """For a session: tells what happens to the talk that is ASKING."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_asks)
    config.on_dns_resolvehost_end.append(_found)
    config.on_connection_create_end.append(_connected)
    config.on_request_end.append(_answered)
    return config


async def _asks(
    _session: aiohttp.ClientSession, _context: object, asked: aiohttp.TraceRequestStartParams
) -> None:
    if (talk := ASKING.get()) is not None:
        url = asked.url
        query = parameters(url.query, talk.secrets)
        head = headers(asked.headers, talk.secrets)
        talk.tell(f"> GET {url.scheme}://{url.host}:{url.port}{url.path}?{query} [{head}]")


async def _found(
    _session: aiohttp.ClientSession, _context: object, found: aiohttp.TraceDnsResolveHostEndParams
) -> None:
    if (talk := ASKING.get()) is not None:
        talk.tell(f"the address of {found.host} is found")


async def _connected(
    _session: aiohttp.ClientSession, _context: object, _: aiohttp.TraceConnectionCreateEndParams
) -> None:
    if (talk := ASKING.get()) is not None:
        talk.tell("connected")


async def _answered(
    _session: aiohttp.ClientSession, _context: object, answered: aiohttp.TraceRequestEndParams
) -> None:
    if (talk := ASKING.get()) is not None:
        answer = answered.response
        head = short(headers(answer.headers, talk.secrets))
        talk.tell(f"< {answer.status} {short(answer.reason or '')} [{head}]")
