"""`tts-book cache`: what is in the cache, by book, and deleting from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.events import format_count
from tts_book.synthesis import cache_prune

DAY_S = 24 * 3_600.0
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Pruning:
    """What to delete: entries unused for `days`, the longest unused beyond `most_mb`, or all
    that no running job needs. Nothing by default."""

    days: float | None = None
    most_mb: int | None = None
    clear: bool = False

    @property
    def wanted(self) -> bool:
        """Whether anything is to be deleted at all."""
        return self.clear or self.days is not None or self.most_mb is not None


async def cache(
    at: Terminal, folder: Path | None, pruning: Pruning, asked: bool, *, yes: bool = False
) -> int:
    """Shows the cache by book; prunes it where that is `asked` for and the rule is named. Deleting
    everything is asked about on a terminal, unless `yes`."""
    place = folder or at.cache_dir
    if place.is_file():
        raise UserError(f"--cache {place} is a file: name a folder.")
    if not (asked or pruning.clear) and pruning.wanted:
        raise UserError("--age and --size say what --prune deletes: add --prune.")
    if asked and not pruning.wanted:
        raise UserError(
            "--prune needs a rule: --age DAYS for entries unused for so long, --size MB for the "
            "most to keep, or both."
        )
    if pruning.clear and at.stdin_is_terminal and not yes:
        chunks = format_count(len(list(cache_prune.list_entries(place))), "spoken chunk")
        if not at.confirm(f"Delete {chunks} in {place}? They must then be spoken again. [y/N] "):
            return 0
    if pruning.wanted:
        before_s = time.time() - (pruning.days or 0) * DAY_S if pruning.days is not None else 0.0
        removed = cache_prune.prune_cache(
            place,
            used_before_s=float("inf") if pruning.clear else before_s,
            most_bytes=None if pruning.most_mb is None else pruning.most_mb * MB,
        )
        stay = f"; {removed.needed:,} stay: a running job needs them" if removed.needed else ""
        size = _size(removed.size_bytes)
        at.err.write(f"{format_count(removed.entries, 'chunk')} removed, {size}{stay}\n")
    for line in _lines(place, time.time()):
        at.out.write(f"{line}\n")
    return 0


def _lines(place: Path, now_s: float) -> Iterator[str]:
    shares = cache_prune.list_books(place)
    for share in shares:
        name = f"{share.title} ({share.source})" if share.title else "needed by no book any more"
        days = int((now_s - share.used_s) / DAY_S)
        ago = f"used {format_count(days, 'day')} ago" if days else "used today"
        when = "running now" if share.running else ago
        chunks = format_count(share.entries, "chunk")
        yield f"{_size(share.size_bytes):>10} {chunks:>14}  {when:<18} {name}"
    # Books may share entries, so the sum is that of the disk.
    entries = list(cache_prune.list_entries(place))
    total = _size(sum(item.size_bytes for item in entries))
    if encoded := list(cache_prune.list_encoded(place)):
        size = _size(sum(item.size_bytes for item in encoded))
        yield f"{size:>10} {format_count(len(encoded), 'chapter'):>14}  encoded for M4B and Opus"
    yield f"{total:>10} {format_count(len(entries), 'chunk'):>14}  in {place}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / MB:,.1f} MB"
