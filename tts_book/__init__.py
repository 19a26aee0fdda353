"""tts-book: long texts into audiobooks, free of charge, with nothing lost on the way.

    import tts_book

    book = tts_book.read("book.epub")
    plan = tts_book.plan(book, voice="dmitry")
    result = tts_book.convert(book, voice="dmitry", output="audiobooks", listener=print)

The names below, and those of the modules `backends`, `errors`, `events` and `model`, are the
public interface; everything else may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "BackendError",
    "Book",
    "BookPlan",
    "Chapter",
    "ChapterPlan",
    "ChunkPlan",
    "EngineGone",
    "Options",
    "ReadingOptions",
    "Result",
    "Source",
    "Surroundings",
    "Tools",
    "TtsBookError",
    "UserError",
    "Voice",
    "__version__",
    "aconvert",
    "aplan",
    "backends",
    "convert",
    "errors",
    "events",
    "model",
    "plan",
    "read",
]

if TYPE_CHECKING:
    from tts_book import backends, errors, events, model
    from tts_book.errors import AudioError, BackendError, TtsBookError, UserError
    from tts_book.model import Book, Chapter, Voice
    from tts_book.pipeline.api import Source, aconvert, aplan, convert, plan, read
    from tts_book.pipeline.options import Options, ReadingOptions, Surroundings
    from tts_book.pipeline.plan_view import BookPlan, ChapterPlan, ChunkPlan
    from tts_book.pipeline.run import Result
    from tts_book.pipeline.voice_selection import EngineGone
    from tts_book.synthesis.rate_limiter import Tools
else:
    # Where each name comes from: imported when it is first asked for, so that neither the command
    # line nor a program that needs the events alone waits for all the rest.
    _MODULE_NAMES = {
        "errors": ("AudioError", "BackendError", "TtsBookError", "UserError"),
        "synthesis.rate_limiter": ("Tools",),
        "pipeline.run": ("Result",),
        "pipeline.api": ("Source", "aconvert", "aplan", "convert", "plan", "read"),
        "model": ("Book", "Chapter", "Voice"),
        "pipeline.options": ("Options", "ReadingOptions", "Surroundings"),
        "pipeline.plan_view": ("BookPlan", "ChapterPlan", "ChunkPlan"),
        "pipeline.voice_selection": ("EngineGone",),
    }
    _MODULE_OF = {name: module for module, names in _MODULE_NAMES.items() for name in names}
    _MODULES = ("backends", "errors", "events", "model")

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"tts_book.{name}")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'tts_book' has no attribute {name!r}")
        value = getattr(import_module(f"tts_book.{_MODULE_OF[name]}"), name)
        globals()[name] = value  # found at once the next time
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
