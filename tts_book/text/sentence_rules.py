"""Whether a sentence ends here: the rules, in their order. The first that knows decides.

Each rule sees one `Place` and says yes, no, or that it does not know. All context is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tts_book.text.abbreviations import Words

CJK_CLOSERS = "」』”’）】》〉〕\"')"
CJK = "\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f"
CJK_STOPS = "。！？｡"
OPENERS = "—–‒―−-«»„“”\"‘’'([{¿¡…*_ \t\n\r\u00a0\u202f\u2009"

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
