"""A SOCKS proxy on this machine, of version 5 or 4, that works or misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class SocksProxy:
    """`login` is the name and password that it wants, `reply` the code it answers a request with
    (0 connects), `cuts_at` the bytes from the service after which it closes, `mute_after` those
    after which nothing comes through any more. `asked` are the hosts it was asked for."""

    login: tuple[str, str] | None = None
    reply: int = 0
    cuts_at: int = 1 << 60
    mute_after: int = 1 << 60
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Gives "127.0.0.1:port"."""

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                version = (await reader.readexactly(1))[0]
                found = await (self._greet_5 if version == 5 else self._greet_4)(reader, writer)
                if found is not None:
                    await self._join(reader, writer, *found)
        finally:
            writer.close()

    async def _greet_5(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        wanted = 2 if self.login else 0
        if wanted not in methods:
            writer.write(b"\5\xff")
            return None
        writer.write(bytes([5, wanted]))
        if self.login:
            await reader.readexactly(1)
            name = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = (name.decode(), password.decode()) == self.login
            writer.write(b"\1\0" if good else b"\1\1")
            if not good:
                return None
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(bytes([5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        return self._asked_for(host, port)

    async def _greet_4(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        await reader.readexactly(1)
        port = int.from_bytes(await reader.readexactly(2), "big")
        host = str(ipaddress.ip_address(await reader.readexactly(4)))
        await reader.readuntil(b"\0")
        if host.startswith("0.0.0."):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        writer.write(bytes([0, 90 if self.reply == 0 else 91]) + bytes(6))
        return self._asked_for(host, port)

    def _asked_for(self, host: str, port: int) -> tuple[str, int] | None:
        self.asked.append(host)
        return None if self.reply else (host, port)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        there, back = await asyncio.open_connection(host, port)
        try:
            out = asyncio.create_task(_pour(reader, back))
            try:
                await self._pour_limited(there, writer)
            finally:
                out.cancel()
                await asyncio.wait([out])
        finally:
            back.close()

    async def _pour_limited(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await source.read(4_096):
            if sent + len(data) > self.mute_after:
                await asyncio.Event().wait()
            sink.write(data)
            await sink.drain()
            sent += len(data)
            if sent >= self.cuts_at:
                return


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()
