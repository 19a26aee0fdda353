"""How much memory this process may still take."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_UNLIMITED_BYTES = 1 << 60


def find_free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that are free now, also within a container's limit; None where that is unknown. `root`
    stands for the file system."""
    if sys.platform == "win32":
        return _windows_bytes()
    known = [found for found in (_meminfo(root), _group_bytes(root)) if found is not None]
    return min(known, default=None) if known else _physical_bytes()


def _meminfo(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable" and value.split()[:1] and value.split()[0].isdigit():
            return int(value.split()[0]) * 1_024
    return None


def _group_bytes(root: Path) -> int | None:
    """What a container's limit leaves, by either version of control groups."""
    for folder, most, now in (
        ("sys/fs/cgroup", "memory.max", "memory.current"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, used = (_text(root / folder / name).strip() for name in (most, now))
        if limit.isdigit() and used.isdigit() and int(limit) < _UNLIMITED_BYTES:
            return max(0, int(limit) - int(used))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _physical_bytes() -> int | None:
    """Half of all the memory there is, where the free part is not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _windows_bytes() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = Status(length=ctypes.sizeof(Status))
    windll = getattr(ctypes, "windll", None)
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)
