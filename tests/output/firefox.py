"""A Firefox without a window, driven by WebDriver BiDi over its own WebSocket."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

_START_S = 60.0
_PREFERENCES = (
    'user_pref("media.autoplay.default", 0);\n'
    'user_pref("app.update.enabled", false);\n'
    'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n'
)


class Firefox:
    """One tab. `evaluate` gives what a JavaScript expression is worth."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._tab = ""

    async def begin(self) -> None:
        await self._ask("session.new", {"capabilities": {}})
        tree = await self._ask("browsingContext.getTree", {})
        self._tab = tree["contexts"][0]["context"]

    async def open(self, url: str) -> None:
        await self._ask(
            "browsingContext.navigate", {"context": self._tab, "url": url, "wait": "complete"}
        )

    async def evaluate(self, expression: str) -> Any:
        found = await self._ask(
            "script.evaluate",
            {
                "expression": f"(async () => JSON.stringify(await ({expression})))()",
                "target": {"context": self._tab},
                "awaitPromise": True,
                "userActivation": True,
            },
        )
        assert found["type"] == "success", found
        value = found["result"].get("value")
        return None if value is None else json.loads(value)

    async def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                result: dict[str, Any] = answer["result"]
                return result


@asynccontextmanager
async def firefox(profile: Path) -> AsyncIterator[Firefox]:
    """A Firefox of Debian's package with a profile of its own."""
    _make_profile(profile)
    program = shutil.which("firefox-esr") or shutil.which("firefox") or "firefox"
    running = await asyncio.create_subprocess_exec(
        program, "--headless", "--remote-debugging-port", "0", "--profile", str(profile),
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_START_S):
            url = await _address(running.stderr)
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/session") as ws:
            tab = Firefox(ws)
            await tab.begin()
            yield tab
    finally:
        running.terminate()
        await running.wait()


def _make_profile(folder: Path) -> None:
    folder.mkdir()
    (folder / "user.js").write_text(_PREFERENCES, "utf-8")


async def _address(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    async for line in stream:
        if found := re.search(rb"WebDriver BiDi listening on (ws://\S+)", line):
            return found[1].decode()
    raise AssertionError("Firefox has ended")
