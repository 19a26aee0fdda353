"""Starts the program: Ctrl-C is handled from the first moment, before anything else is imported."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

INTERRUPTED = 130


def _stop(_number: int, _frame: object) -> NoReturn:
    """Ends at once, whether that can be reported or not: nothing has begun, or all is done."""
    try:
        os.write(sys.stderr.fileno(), b"Stopped.\n")
    finally:
        os._exit(INTERRUPTED)


def main() -> None:
    """The program `tts-book`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, _stop)
    from tts_book.cli import app as cli

    cli.main()


if __name__ == "__main__":
    main()
