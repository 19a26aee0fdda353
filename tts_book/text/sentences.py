"""Where sentences begin and end, within one paragraph. Alone knows nltk.

A regular expression finds every place where a sentence could end; the rules below
say whether it does. What no rule knows about a single full stop is asked of nltk's Punkt, with
the lists of `abbreviations` for its parameters. Where there is no list, Punkt learns the book's
own abbreviations from its text.

All context that a rule sees is bounded, so time is linear whatever the text is.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

from tts_book.text.abbreviations import WORDS, Words, words_of
from tts_book.text.language_tags import primary_language

# Whether a sentence ends here: the rules, in their order. The first that knows decides.
#
# Each rule sees one `Place` and says yes, no, or that it does not know. All context is bounded.


CJK_CLOSERS = "」』”’）】》〉〕\"')"
CJK = "\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f"
CJK_STOPS = "。！？｡"
OPENERS = "—–‒―−-«»„“”\"‘’'([{¿¡…*_ \t\n\r\u00a0\u202f\u2009"

_LOADING_PUNKT = threading.Lock()
_BEFORE_WORD = re.compile(r"[\s«„“‘\"'(\[—–]")
_NEXT_WORD = re.compile(r"\w+(?:[’'-]\w+)*")
_LIST_NUMBER = re.compile(r"[\s\W]*(?:\d{1,3}(?:\.\d{1,3})*|[IVXLCDM]{1,6}|[^\W\d_])")
_INITIALS = re.compile(r"(?:[^\W\d_]\.){0,5}[^\W\d_]")
_ROMAN = re.compile(r"[IVXLCDM]{1,7}")
_NUMBER = re.compile(r"\d|[IVXLCDM]+\b")
_ORDINAL = re.compile(r"\d{1,2}|[IVX]{1,6}")
_OPEN_BRACKET = re.compile(r"[(\[]\s*$")
_STAMMERED = re.compile(r"\bI\b")
_PHRASE = 24
_CLOCK = frozenset(("a.m", "p.m"))
_AFTER_CLOCK = re.compile(
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]{2,4}|(?:Eastern|Pacific|Central|Greenwich)"
    r"|(?:Jan|Febr)uary|March|April|May|June|July|August|(?:Septem|Octo|Novem|Decem)ber)\b"
)
_I_AFTER = re.compile(r"\b[a-z]+,? I$")
_NAME = r"(?:[A-Z][\w’'-]*\.? )*[A-Z][\w’'-]*"
_SPEECH = re.compile(
    rf"(?:I|{_NAME}(?: and {_NAME})?)\s+(?:\w+ly\s+)?"
    r"(?:said|says|asked|asks|cried|replied|answered|exclaimed|inquired|enquired|shouted|whispered"
    r"|muttered|murmured|began|added|returned|repeated|interrupted|interposed|demanded|remarked"
    r"|called|observed|continued|went on|put in|thought|retorted|gasped|screamed|sighed|laughed"
    r"|growled|roared|yelled|wondered|snapped|declared|insisted|protested|ejaculated|rejoined"
    r"|responded|suggested|pleaded|urged|mused|sobbed|hissed|echoed|persisted|faltered"
    r"|seemed to (?:say|ask))\b"
)
_SPEECH_ZH = re.compile(r"[^。！？，、\s“”]{1,8}?[说說问問道喊叫答笑想]")
_CONTINUES_JA = "とっはがをのにもでへや、，,"


@dataclass(slots=True)
class SentenceStop:
    """A place where a sentence could end: `left` runs up to the stop, `right` begins with the
    first letter or digit behind it, `begun` is the sentence so far where it is short."""

    language: str
    words: Words
    mark: str
    stop: str
    touching: str
    left: str
    right: str
    begun: str
    word: str = ""
    next: str = ""

    def look(self) -> None:
        """Finds the words on both sides: only what reaches the later rules needs them."""
        self.word = _BEFORE_WORD.split(self.left)[-1]
        following = _NEXT_WORD.match(self.right)
        self.next = following.group() if following else self.right[:1]


Rule = Callable[[SentenceStop], bool | None]


def _cjk(at: SentenceStop) -> bool | None:
    """A CJK stop ends a sentence, but not before what goes on with it: a comma, a closing mark,
    the particle or the verb of saying behind a quotation."""
    if at.mark[0] not in "。！？｡" and not (at.touching and re.match(f"[{CJK}]", at.touching)):
        return None
    behind = at.touching.lstrip()
    if not behind:
        return False
    if at.mark[-1] not in "。！？｡!?…" and at.mark[-1:] in CJK_CLOSERS:
        if at.language == "ja" and behind[0] in _CONTINUES_JA:
            return False
        if at.language == "zh" and _SPEECH_ZH.match(behind):
            return False
    return behind[0] not in "、，,；」』）】》〉…"


def _nothing_behind(at: SentenceStop) -> bool | None:
    """What follows is punctuation only, or goes on with it."""
    return False if not at.right or at.right[0] in ",;:./)" else None


def _lower_case(at: SentenceStop) -> bool | None:
    """`— Куда? — спросил он`: a small letter goes on with the sentence."""
    return False if at.right[0].islower() else None


def _remark(at: SentenceStop) -> bool | None:
    """`(!)` and `(?)` judge a word; they end nothing."""
    return False if at.mark.endswith(")") and _OPEN_BRACKET.search(at.left) else None


def _stammer(at: SentenceStop) -> bool | None:
    """`I… I do not know`: English writes this word large everywhere."""
    if at.language != "en" or at.stop[0] not in ".…" or at.stop == ".":
        return None
    return False if _STAMMERED.match(at.right) and _STAMMERED.search(at.left[-2:]) else None


def _speaker(at: SentenceStop) -> bool | None:
    """`“Where?” Levin asked`: the author's words, although they begin with a capital."""
    if at.language != "en" or at.stop == "." or at.mark[-1] not in "”’\"'»":
        return None
    name = at.right.partition(" ")[0].lower()
    joins = name in at.words.starters and name != "i"
    return False if not joins and _SPEECH.match(at.right) else None


def _exclamation(at: SentenceStop) -> bool | None:
    """Everything but a single full stop ends a sentence, and so does one behind a quotation."""
    return True if at.stop != "." or at.left[-1:] in '"”»)]' else None


def _list_number(at: SentenceStop) -> bool | None:
    """`1. Text`, `IV. The Return`: the number stays with what it counts."""
    if not at.begun or not _LIST_NUMBER.fullmatch(at.begun):
        return None
    return None if at.word.lower() in at.words.one_letter else False


def _heading(at: SentenceStop) -> bool | None:
    """`Chapter 1. The Beginning`: one heading."""
    head, _, number = at.begun.strip().partition(" ")
    if head.lower() not in at.words.headings:
        return None
    return False if re.fullmatch(r"\d{1,4}|[IVXLCDM]{1,8}", number.strip()) else None


def _closes(at: SentenceStop, phrase: str) -> bool:
    """Whether the text so far closes with the set phrase; all of them close with a short word."""
    return len(at.word) <= 6 and bool(phrase and _compiled(phrase).search(at.left[-_PHRASE:] + "."))


@lru_cache
def _compiled(phrase: str) -> re.Pattern[str]:
    return re.compile(phrase, re.IGNORECASE)


def _phrase_inside(at: SentenceStop) -> bool | None:
    """`т. е.`, `z. B.`: set phrases that need what follows."""
    return False if _closes(at, at.words.inside) else None


def _phrase_ending(at: SentenceStop) -> bool | None:
    """`и т. д.`, `etc.` before a capital: the enumeration is over."""
    return True if _closes(at, at.words.ending) else None


def _street(at: SentenceStop) -> bool | None:
    """`St. John`, but `Baker St. They`: a saint stands before his name, a street behind it."""
    if at.language != "en" or at.word != "St":
        return None
    return None if re.search(r"\b[A-Z0-9][\w’']* St$", at.left) else False


def _title(at: SentenceStop) -> bool | None:
    """`Mr.`, `проф.`: never last."""
    return False if at.word.lower() in at.words.never_end else None


def _before_number(at: SentenceStop) -> bool | None:
    """`с. 5`, `vol. II`: an abbreviation where a number follows."""
    street = at.language == "de" and at.word.endswith("str")
    if at.word.lower() not in at.words.before_number and not street:
        return None
    return False if _NUMBER.match(at.right) else None


def _ordinal(at: SentenceStop) -> bool | None:
    """`am 3. Oktober`: in languages that write "third" so."""
    if not at.words.ordinals or not _ORDINAL.fullmatch(at.word):
        return None
    return None if at.next.lower() in at.words.starters else False


def _clock(at: SentenceStop) -> bool | None:
    """`at 5 p.m. Holmes came`, but `5 p.m. Monday`."""
    if at.language != "en" or at.word.lower() not in _CLOCK:
        return None
    return not _AFTER_CLOCK.match(at.right)


def _regnal(at: SentenceStop) -> bool | None:
    """`при Александре I. Потом`: Latin letters in Cyrillic text are a number."""
    if at.language not in ("ru", "uk", "be", "bg", "sr", "mk") or not _ROMAN.fullmatch(at.word):
        return None
    before = at.left[: -len(at.word)].rstrip()[-1:]
    return True if before >= "Ѐ" and not at.right[:1].isdigit() else None


def _one_letter_word(at: SentenceStop) -> bool | None:
    """`не понял я. Светка`, `It was I. Did`: a word, no initial."""
    if at.language == "en" and at.word == "I":
        return True if _I_AFTER.search(at.left) else None
    if len(at.word) != 1 or at.word.lower() not in at.words.one_letter:
        return None
    return True if at.word.islower() or len(at.begun.strip(OPENERS)) == 1 else None


def _initials(at: SentenceStop) -> bool | None:
    """`А. А. Фет`: an initial before an initial."""
    if not _INITIALS.fullmatch(at.word) or not at.word[-1].isupper():
        return None
    if len(at.next) == 1 and at.next.isupper() and at.right[1:2] == ".":
        return False
    if at.word.lower() not in at.words.abbreviations:
        at.word = at.word[-1]
    return None


def _letter_then_starter(at: SentenceStop) -> bool | None:
    """`1812 г. Он`, `vitamin C. Then`: one letter, which Punkt takes for an initial."""
    if len(at.word) != 1 or not (at.word.isupper() or at.word in at.words.abbreviations):
        return None
    return True if at.next[:1].isupper() and at.next.lower() in at.words.starters else None


RULES: tuple[Rule, ...] = (
    _cjk,
    _nothing_behind,
    _lower_case,
    _remark,
    _stammer,
    _speaker,
    _exclamation,
)
FULL_STOP_RULES: tuple[Rule, ...] = (
    _list_number,
    _heading,
    _phrase_inside,
    _phrase_ending,
    _street,
    _title,
    _before_number,
    _ordinal,
    _clock,
    _regnal,
    _one_letter_word,
    _initials,
    _letter_then_starter,
)


def first_opinion(rules: tuple[Rule, ...], at: SentenceStop) -> bool | None:
    for rule in rules:
        opinion = rule(at)
        if opinion is not None:
            return opinion
    return None


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
    punkt = _load_punkt()
    parameters = punkt.PunktParameters()
    parameters.abbrev_types |= lists.abbreviations
    parameters.sent_starters |= lists.starters
    for starter in lists.starters:
        parameters.ortho_context[starter] |= _MID_SENTENCE_LOWER
    if _has_capitals(sample):
        _learn(parameters, _spread(sample))
    return punkt.PunktSentenceTokenizer(parameters)


def _load_punkt() -> Any:
    """Punkt alone. What NLTK imports with it takes 14 MB and 0.1 s, and nothing here needs it: bare
    packages stand for the two around it meanwhile. Afterwards whoever imports NLTK gets all."""
    with _LOADING_PUNKT:
        return _import_punkt()


@lru_cache(maxsize=1)
def _import_punkt() -> Any:
    spec = find_spec("nltk")
    folders = spec.submodule_search_locations if spec is not None else None
    alone = "nltk" not in sys.modules
    if alone:
        for name, below in (("nltk", ""), ("nltk.tokenize", "tokenize")):
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = [str(Path(folder, below)) for folder in folders or ()]
    try:
        from nltk.tokenize import punkt

        return punkt
    finally:
        for name in [n for n in sys.modules if alone and n.partition(".")[0] == "nltk"]:
            del sys.modules[name]


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
    trainer = _load_punkt().PunktTrainer()
    trainer.train(text.replace("…", "..."), finalize=True)
    learnt = trainer.get_params()
    parameters.abbrev_types |= {word for word in learnt.abbrev_types if _LEARNT.fullmatch(word)}
    parameters.collocations |= learnt.collocations
    parameters.sent_starters |= learnt.sent_starters
    for word, context in learnt.ortho_context.items():
        parameters.ortho_context[word] |= context


# A text that cannot be spoken in one go, in two halves: at a sentence's end if there is one.


# From the best place to cut to the worst; each pattern ends where the right half begins.
_PLACES = (
    re.compile(r"\n\s*\n"),
    re.compile(r"(?<=[.!?…。！？])[\"'”’»)\]]*\s+|(?<=[。！？])"),
    re.compile(r"(?<=[;:,—，、；：])\s+"),
    re.compile(r"\s+"),
)
# A cut within this share of the middle is good enough not to look for a worse kind of place.
_MIDDLE_SHARE = 0.3
# Shorter than this, text without a blank is a word, and half a word is another word.
_NO_WORD_CHARACTERS = 60


def split_in_half(text: str) -> tuple[str, int, str] | None:
    """The left half, where the right one begins in `text`, and the right half; None where either
    would have nothing to say."""
    middle, reach = len(text) / 2, len(text) * _MIDDLE_SHARE
    for place in _PLACES:
        cuts = [found.end() for found in place.finditer(text)]
        cuts = [cut for cut in cuts if abs(cut - middle) <= reach and _both_speak(text, cut)]
        if cuts:
            return _cut(text, min(cuts, key=lambda cut: abs(cut - middle)))
    if len(text) < _NO_WORD_CHARACTERS:
        return None
    at = len(text) // 2
    return _cut(text, at) if _both_speak(text, at) else None


def _cut(text: str, at: int) -> tuple[str, int, str]:
    return text[:at].rstrip(), at, text[at:]


def _both_speak(text: str, at: int) -> bool:
    return any(map(str.isalnum, text[:at])) and any(map(str.isalnum, text[at:]))
