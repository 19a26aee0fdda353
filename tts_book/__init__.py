"""tts-book: long texts into audiobooks, free of charge, with nothing lost on the way."""

__version__ = "0.1.0"
