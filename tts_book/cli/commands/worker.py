"""`tts-book worker`: this machine speaks for a cluster."""

from __future__ import annotations

import asyncio
import os

from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.pipeline.job_settings import parse_cluster_address


async def work(at: Terminal, options: CommandOptions, address: str) -> int:
    """Speaks for a scheduler until it is stopped."""
    from tts_book.synthesis.cluster_worker import run_worker

    place = parse_cluster_address(address, options, at)
    if place.is_local:
        raise UserError("A local cluster starts its own workers: name a scheduler, tls://HOST:8786")

    def report(line: str) -> None:
        at.err.write(f"{line}\n")
        at.err.flush()

    await run_worker(place, options.workers or os.cpu_count() or 1, report, asyncio.sleep)
    return 0
