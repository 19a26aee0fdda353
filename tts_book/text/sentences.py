"""Where sentences begin and end, within one paragraph. Alone knows nltk.

A regular expression finds every place where a sentence could end; the rules of `sentence_rules`
say whether it does. What no rule knows about a single full stop is asked of nltk's Punkt, with
the lists of `abbreviations` for its parameters. Where there is no list, Punkt learns the book's
own abbreviations from its text.

All context that a rule sees is bounded, so time is linear whatever the text is.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import Any
from zlib import crc32

from tts_book.text.abbreviations import WORDS, Words, words_of
from tts_book.text.language_tags import primary_language
from tts_book.text.sentence_rules import (
    CJK,
    CJK_CLOSERS,
    CJK_STOPS,
    FULL_STOP_RULES,
    OPENERS,
    RULES,
    SentenceStop,
    first_opinion,
)

_STOPS = ".!?…‽⁇⁈⁉।॥؟۔։።፧។"
_CLOSERS = "\"'”’“‘»«›)\\]}*_"

# A run of stops, spaced ones too (". . ."), and the closing marks at it, before white space; or a
# CJK stop, which needs none. It begins with a plain class of characters, which `re` finds fast;
# that nothing of the same kind stands before it keeps 100,000 dots from costing their square.
_CANDIDATE = re.compile(
    rf"[{_STOPS}{CJK_STOPS}](?:"
    rf"(?<=[{_STOPS}])(?<![{_STOPS}].)[{_STOPS}]*(?:[ \u00a0\u202f][.!?…]+(?=[\s{_CLOSERS}]|$))*"
    rf"(?:[{_CLOSERS}]|\[\d{{1,4}}\]|[ \u00a0\u202f](?=»)»)*(?=\s)"
    rf"|(?<=[{CJK_STOPS}])[{CJK_STOPS}]*…*[{CJK_CLOSERS}]*"
    rf"|(?<=[{CJK}][!?])[!?]*[{CJK_CLOSERS}]*(?=[{CJK}])"
    rf"|(?<=[{CJK}]…)…*[{CJK_CLOSERS}]+(?=[{CJK}]))",
    re.DOTALL,
)

_INK = re.compile(r"\S")
_LEFT, _RIGHT, _FAR = 60, 60, 400
_DUTCH_CLITIC = re.compile(r"[stnkmr][ ](?=[A-Z])")
_SAMPLE_CHARACTERS = 1_000_000
_LEARNT = re.compile(r"[^\W\d_]{1,5}(?:[.\-][^\W\d_]{1,5})*")
_MID_SENTENCE_LOWER = 1 << 5  # nltk's _ORTHO_MID_LC: "seen in lower case inside a sentence"


class Splitter:
    """Splits paragraphs of one language into sentences.

    Only the primary subtag of `language` (BCP 47) matters. `sample` is the text of the book:
    Punkt learns from it, at the first need, where there is no list for the language and its
    script has capitals; at most a million characters of it, from everywhere in the book.
    """

    def __init__(self, language: str, sample: str = "") -> None:
        self.language = primary_language(language)
        self._words = words_of(self.language)
        self._sample = sample if self.language not in WORDS else ""
        self._punkt: Any = None
        self._punkt_breaks = lru_cache(maxsize=1 << 16)(partial(_ask_punkt, self))

    def spans(self, paragraph: str) -> list[tuple[int, int]]:
        """Half-open spans of the sentences, in order, without white space around them; together
        they cover every non-blank character."""
        spans = []
        end = len(paragraph.rstrip())
        first = _INK.search(paragraph)
        start = first.start() if first else end
        for match in _CANDIDATE.finditer(paragraph, start, end + 1):
            if match.end() < end and self._ends(paragraph, start, match):
                spans.append((start, match.end()))
                following = _INK.search(paragraph, match.end())
                start = following.start() if following else end
        if start < end:
            spans.append((start, end))
        return spans

    def _ends(self, text: str, start: int, match: re.Match[str]) -> bool:
        at = self._place(text, start, match)
        opinion = first_opinion(RULES, at)
        if opinion is None:
            at.look()
            opinion = first_opinion(FULL_STOP_RULES, at)
        return self._ask(at.word, at.next) if opinion is None else opinion

    def _ask(self, word: str, following: str) -> bool:
        """Punkt's opinion. Words that it cannot tell apart are asked for once: unless it has
        learnt pairs of words, all that are no abbreviation, number or initial are alike to it."""
        if self.language in WORDS:
            known = word.lower() in self._words.abbreviations
            plain = len(word) > 1 and word.isalpha() and not known
            starts = following.lower() in self._words.starters
            word = "xxxx" if plain else word
            following = following if starts else following[:1] + "xxxx"
        return self._punkt_breaks(word or "xxxx", following)

    def _place(self, text: str, start: int, match: re.Match[str]) -> SentenceStop:
        mark, dot, end = match.group(), match.start(), match.end()
        right = _without_openers(text[end : end + _RIGHT], self.language)
        return SentenceStop(
            language=self.language,
            words=self._words,
            mark=mark,
            stop=mark.rstrip("\"'”’“‘»«›)]}*_ \u00a0\u202f0123456789[").replace(" ", ""),
            touching=text[end : end + 12],
            left=text[max(start, dot - _LEFT) : dot],
            right=right or _without_openers(text[end : end + _FAR], self.language),
            begun=text[start:dot] if dot - start < 24 else "",
        )

    def punkt(self) -> Any:
        """The PunktSentenceTokenizer with this language's parameters, made when first needed."""
        if self._punkt is None:
            self._punkt = _make_punkt(self._words, self._sample)
            self._sample = ""
        return self._punkt


def _without_openers(text: str, language: str) -> str:
    """What follows a stop from its first letter or digit on. Two commas open a quotation in old
    type; a Dutch sentence may begin with a short word before its capital: 's Morgens."""
    bare = text.lstrip(OPENERS)
    if bare.startswith(",,"):
        bare = bare[2:].lstrip(OPENERS)
    if language == "nl" and (found := _DUTCH_CLITIC.match(bare)):
        bare = bare[found.end() :]
    return bare


def _ask_punkt(splitter: Splitter, word: str, following: str) -> bool:
    return bool(splitter.punkt().text_contains_sentbreak(f"{word}. {following}"))


def _make_punkt(lists: Words, sample: str) -> Any:
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types |= lists.abbreviations
    parameters.sent_starters |= lists.starters
    for starter in lists.starters:
        parameters.ortho_context[starter] |= _MID_SENTENCE_LOWER
    if _has_capitals(sample):
        _learn(parameters, _spread(sample))
    return PunktSentenceTokenizer(parameters)


def _has_capitals(sample: str) -> bool:
    """Whether the script knows two cases: without them Punkt learns wrong things."""
    letters = [char for char in sample[:100_000] if char.isalpha()]
    return 2 * sum(char.lower() != char.upper() for char in letters) > len(letters)


def _spread(sample: str) -> str:
    """At most about a million characters of whole lines from everywhere in the book. Which
    lines is decided by the lines themselves, so that an edit does not exchange them all."""
    part = 1
    while len(sample) > _SAMPLE_CHARACTERS * part:
        part *= 2
    lines = sample.split("\n")
    chosen = (line for line in lines if crc32(line.encode("utf-8", "replace")) % part == 0)
    return "\n".join(chosen)[: 2 * _SAMPLE_CHARACTERS]


def _learn(parameters: Any, text: str) -> None:
    """Adds what Punkt finds in the text: plausible abbreviations only (on novels it also takes
    common short words for them), collocations, and words seen in both cases."""
    from nltk.tokenize.punkt import PunktTrainer

    trainer = PunktTrainer()
    trainer.train(text.replace("…", "..."), finalize=True)
    learnt = trainer.get_params()
    parameters.abbrev_types |= {word for word in learnt.abbrev_types if _LEARNT.fullmatch(word)}
    parameters.collocations |= learnt.collocations
    parameters.sent_starters |= learnt.sent_starters
    for word, context in learnt.ortho_context.items():
        parameters.ortho_context[word] |= context
