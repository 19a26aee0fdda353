"""How many utterances at once: as many as cores and memory allow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tts_book.backends import Settings
from tts_book.backends.piper.backend import PiperBackend, find_free_memory

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("cores", "free_bytes", "at_once"),
    [(2, 16 * GB, 2), (16, 4 * GB, 6), (16, 64 * GB, 16), (4, GB // 2, 1), (4, 1_200_000_000, 1)],
)
def test_memory_bounds_how_many_speak_at_once(cores: int, free_bytes: int, at_once: int) -> None:
    backend = PiperBackend(Settings(environ={}), cores=cores, free_bytes=free_bytes)
    assert backend.limits.most == at_once
    assert f"{at_once} at once, up to" in asyncio.run(backend.health()).detail


@pytest.mark.parametrize(
    ("files", "free_bytes"),
    [
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    4096 kB\n"}, 4_096 * 1_024),
        (
            {
                "proc/meminfo": "MemAvailable: 4096000 kB\n",
                "sys/fs/cgroup/memory.max": "2000000\n",
                "sys/fs/cgroup/memory.current": "500000\n",
            },
            1_500_000,
        ),
        (
            {
                "proc/meminfo": "MemAvailable: 1000 kB\n",
                "sys/fs/cgroup/memory.max": "max\n",
                "sys/fs/cgroup/memory.current": "500000\n",
            },
            1_024_000,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9000000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "9500000",
            },
            0,
        ),
    ],
)
def test_free_memory_is_what_the_system_and_the_container_leave(
    tmp_path: Path, files: dict[str, str], free_bytes: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert find_free_memory(tmp_path) == free_bytes


def test_this_machine_says_how_much_memory_it_has() -> None:
    found = find_free_memory()
    assert found is not None
    assert found > 1_000_000
