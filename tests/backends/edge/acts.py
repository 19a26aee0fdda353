"""What the simulated service does to a connection, step by step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct

from aiohttp import web

from tests.backends.edge.faults import Fault
from tests.backends.edge.script import Step


async def until_gone(ws: web.WebSocketResponse) -> None:
    """Says nothing until the client leaves."""
    while not ws.closed:
        await ws.receive()


def _reset(connection: socket.socket | object) -> None:
    """Lets the next close be a reset instead of a farewell."""
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    set_option = getattr(connection, "setsockopt", None)
    if set_option is not None:
        set_option(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def at_the_door(connection: socket.socket, fault: Fault) -> None:
    """Treats a connection badly before there is TLS on it."""
    loop = asyncio.get_running_loop()
    with connection:
        connection.setblocking(False)
        if fault.name == "mute":
            while await loop.sock_recv(connection, 4_096):
                pass
            return
        if fault.name == "reset_in_tls":
            await loop.sock_recv(connection, 4_096)
        _reset(connection)


async def act(request: web.Request, ws: web.WebSocketResponse, step: Step) -> bool:
    """Does one step; False where the turn is over."""
    transport = request.transport
    if step.kind == "text":
        await ws.send_str(step.text)
    elif step.kind == "bytes":
        await ws.send_bytes(step.data)
    elif step.kind == "wait":
        await asyncio.sleep(step.wait_s)
    elif step.kind == "ping":
        await ws.ping(b"still there?")
    elif step.kind == "fragments" and transport is not None:
        data = step.text.encode()
        first, second = data[:40], data[40:]
        transport.write(bytes([0x01, len(first)]) + first + bytes([0x80, len(second)]) + second)
    elif step.kind == "close":
        await ws.close(code=step.code, message=step.text.encode()[:120])
        return False
    elif step.kind == "hang":
        await until_gone(ws)
        return False
    elif step.kind == "pings":
        while not ws.closed:
            await ws.ping()
            with contextlib.suppress(TimeoutError):
                await ws.receive(timeout=2)
        return False
    elif step.kind == "reset" and transport is not None:
        _reset(transport.get_extra_info("socket"))
        transport.abort()
        return False
    return True
