"""Which characters of a text are direct speech, by the customs of its language.

A paragraph that begins with a dash is speech, with the author's words inside it; speech in
quotation marks is told from titles, quotations and irony by what is around it. What is unsure is no
speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tts_book.text.language_tags import primary_language

# Words by which an author says that somebody speaks, and whether a man or a woman.


MALE, FEMALE = "male", "female"

# Stems of verbs of speech and thought; endings are open.
_STEMS = {
    "ru": """
        сказа сказыва скажет говор молви спроси спраши переспроси отве[тч] крик крич
        закрич вскри[кч] воскли[кц] шепн шепт прошепт зашепт бормо пробормо забормо
        пролепет лепет прибави прибавля добави добавля замети замеча продолжа возрази
        возража переби прерва подхвати поддакну произн[ео]с проговори заговори выговори
        уговари договори объяви объясни объясня поясни призна повтори повторя проворча
        ворча буркну пробурча рявкну простона застона стона всхлипну вздохну усмехну
        засмея рассмея хохота захохота улыбну ухмыльну хмыкну хихик подума дума решил
        обрати обраща позва звал окликну приказа приказыва велел попроси проси умоля
        взмоли настаи увери уверя убежда согласи соглаша кивну вмеша вступи встави отрез
        отруби процеди прохрипе хрипе визж взвизгну завизж завопи вопи заора ора рева
        заревел загреме прогреме гаркну пискну пропища промолви вымолви протяну тяну начал
        начина кончи заключи осведоми поинтересова удиви изуми испуга обрадова рассерди
        сообщи доложи рассказ распоряди заяви заявля потребова предложи предлага пошути
        шути похвали поблагодари извини поздорова прости попроща напомни намекну отозва
        откликну оборва обиде жалова пожалова мелькну пронесло раздал послыша донес слыша
    """,
    "uk": """
        сказа каза каже мови промови спита пита запита відпові відказа крик закрич вигукну
        гукну шепн шепо прошепо бурмо дода заува продовж запереч переби вимови заговори
        поясни призна повтори буркну зітхну усміхну засмія дума подума вирiши звернув
        наказа попроси погоди озва кивну почав почала відріза
    """,
    "pl": """
        powiedzia rzek odpar odpowiedzi spyta zapyta zawoła krzykn krzycz szepn szepta
        mrukn doda mówi odezwa przerwa wtrąci stwierdzi zauważy pomyśla odrzek westchn
        zaśmia roześmia wyszepta wykrzykn oznajmi wyjaśni przyzna powtórzy zacz ciągn jękn
        warkn uśmiechn
    """,
    "cs": """
        řek odpověd zeptal ptal zvolal křik vykřik šept zašept dodal pravil prohlásil
        poznamenal pomyslel povzdech zasmál opáčil
    """,
    "es": """
        dij dec[ií] respondi contest pregunt grit exclam susurr murmur añadi replic repuso
        coment insisti explic agreg pens continu prosigui interrumpi orden suspir sonri
        admiti asegur observ asinti concluy confes gimi balbuce propuso afirm
    """,
    "fr": """
        dit dis disai demand répond répliqu cri s'écri écri murmur ajout repri fit pens
        souffl chuchot continu interromp interrompi expliqu objecta soupir déclar remarqu
        observ affirm insist avou balbuti ordonn grogn lanç
    """,
    "it": """
        diss dic rispos chies domand grid esclam sussurr mormor aggiuns replic ribatt pens
        continu spieg osserv balbett ordin sospir interrupp fec ammis afferm insist
    """,
    "de": """
        sagt frag antwort rief ruf schrie flüster murmel erwider entgegn meint fügt fuhr
        dacht bemerk erklär versetz seufz lacht brumm knurr stammel stotter befahl bat
        gestand wiederhol unterbrach setzte sprach begann raunt keucht
    """,
    "en": """
        said say says asked asks replied repl answer cried cries shout exclaim whisper
        murmur mutter added adds remark observ continu return rejoin retort interrupt
        interpos began inquir enquir demand declar protest repeat respond call thought
        thinks sigh laugh groan growl scream gasp stammer explain insist announc agreed
        admit snap ejaculat smil mumbl yell pleaded beg urg warn order suggest told tell
        grunt nodded
    """,
}

_MALE_WORDS = {
    "ru": """
        он этот тот старик мужик мальчик юноша парень отец папа дядя дедушка дед брат сын
        муж князь граф барин господин офицер солдат доктор генерал капитан студент
        чиновник купец священник гость хозяин лакей слуга дворник незнакомец король царь
        учитель человек сосед приятель товарищ друг
    """,
    "uk": """
        він старий хлопець батько дід брат син чоловік пан козак
    """,
    "en": """
        he him his
    """,
}
_FEMALE_WORDS = {
    "ru": """
        она эта та старуха старушка баба девушка девочка девица женщина мать мама маменька
        тетка тетя бабушка сестра дочь жена княгиня княжна графиня барыня барышня госпожа
        хозяйка дама служанка горничная няня королева царица учительница незнакомка
        подруга соседка
    """,
    "uk": """
        вона стара дівчина мати баба сестра дочка жінка пані
    """,
    "en": """
        she her hers
    """,
}


@dataclass(frozen=True, slots=True)
class SpeechWords:
    """The patterns of a language. `verb` fits a word of speech at its beginning."""

    verb: re.Pattern[str]
    past: re.Pattern[str] | None
    male: re.Pattern[str] | None
    female: re.Pattern[str] | None

    def is_verb(self, word: str) -> bool:
        """Whether a word says that somebody speaks or thinks."""
        return self.verb.match(word.casefold().replace("ё", "е")) is not None


# Slavic past tense, which tells the sex: -л, -ла, with a reflexive ending.
_PAST = {
    "ru": re.compile(
        r"\A(?:[а-яё]{2,}(?:л(?P<f>а)?|л(?P<n>о|и))(?:ся|сь)?"
        r"|умолк|смолк|замолк|л[её]г|исчез|замер|умер|привстал|поник|возник|затих|утих|притих|вздрогнул"
        r"|пош[её]л|ш[её]л|ел|сел|дал|пил)$"
    ),
    "uk": re.compile(r"\A[а-яіїєґ']{2,}(?:в|л(?P<f>а)|л(?P<n>о|и))(?:ся|сь)?$"),
    "pl": re.compile(r"\A[a-ząćęłńóśźż]{2,}(?:ł(?P<f>a)?|(?:ł(?P<n>o|y)|li))$"),
    "cs": re.compile(r"\A[a-záčďéěíňóřšťúůýž]{2,}(?:l(?P<f>a)?|l(?P<n>o|i|y))$"),
}


def speech_words(language: str) -> SpeechWords | None:
    """The words of a language (its primary subtag); None for one that has none here."""
    return _SPEECH_WORDS.get(language)


def _words(table: dict[str, str], language: str) -> re.Pattern[str] | None:
    words = "|".join(table.get(language, "").split())
    return re.compile(rf"(?:{words})(?!\w)", re.IGNORECASE) if words else None


_SPEECH_WORDS = {
    language: SpeechWords(
        re.compile(f"(?:{'|'.join(stems.split())})"),
        _PAST.get(language),
        _words(_MALE_WORDS, language),
        _words(_FEMALE_WORDS, language),
    )
    for language, stems in _STEMS.items()
}


_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")
_DASH = "—–―"
_OPENING_DASH = re.compile(rf"\s*[{_DASH}-]\s*(?=\S)")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# How many of the author's words are looked at for a verb of speech.
_TAG_WORDS = 9
# Fewer words in quotation marks, inside a sentence, are a title or irony.
_FEW_WORDS = 4
_TERMINAL = ".!?…"
_ENDS = (*_TERMINAL, ",", "—", "–", "-")
# A quotation over several paragraphs is looked for so far.
_LONG_QUOTATION = 6_000


@dataclass(frozen=True, slots=True)
class Tag:
    """The author's words beside a piece of speech: characters of the text."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class DirectSpeech:
    """Speech of one speaker in one paragraph: the spans that are spoken, and the author's words
    that go with them. `rule` says how it was found."""

    start: int
    stop: int
    spans: tuple[tuple[int, int], ...]
    tags: tuple[Tag, ...]
    rule: str
    paragraph: int


@dataclass(frozen=True, slots=True)
class Customs:
    """How a language writes speech: its pairs of quotation marks, whether a dash begins speech, and
    whether the dash of the author's words is set tight (Spanish)."""

    quotes: tuple[tuple[str, str], ...]
    dashes: bool = False
    tight: bool = False
    inverted: bool = False
    """The author's words may stand inside without any mark: « Oui, dit-il, … »."""


_ANGLE, _LOW, _HIGH, _STRAIGHT = ("«", "»"), ("„", "“"), ("“", "”"), ('"', '"')
_CUSTOMS = {
    "ru": Customs((_ANGLE, _LOW, _HIGH, _STRAIGHT), dashes=True),
    "uk": Customs((_ANGLE, _LOW, _HIGH, _STRAIGHT), dashes=True),
    "be": Customs((_ANGLE, _LOW, _HIGH, _STRAIGHT), dashes=True),
    "pl": Customs((("„", "”"), _ANGLE, _HIGH, _STRAIGHT), dashes=True),
    "cs": Customs((_LOW, ("»", "«"), _HIGH, _STRAIGHT)),
    "de": Customs((_LOW, ("»", "«"), _ANGLE, _STRAIGHT)),
    "fr": Customs((_ANGLE, _HIGH, _STRAIGHT), dashes=True, inverted=True),
    "es": Customs((_ANGLE, _HIGH, _STRAIGHT), dashes=True, tight=True),
    "it": Customs((_ANGLE, _HIGH, _STRAIGHT), dashes=True),
    "en": Customs((_HIGH, _STRAIGHT)),
}
_SINGLE = ("‘", "’")


def find_utterances(text: str, language: str) -> list[DirectSpeech]:
    """The direct speech of a text, in order; none in a language whose customs are not known."""
    primary = primary_language(language)
    customs, words = _CUSTOMS.get(primary), speech_words(primary)
    if customs is None:
        return []
    if primary == "en" and _is_single_quoted(text):
        customs = Customs((_SINGLE, _HIGH, _STRAIGHT))
    found: list[DirectSpeech] = []
    open_until = 0
    for number, paragraph in enumerate(_PARAGRAPH.finditer(text)):
        start, stop = paragraph.span()
        if start < open_until:
            found += _continued(text, start, min(stop, open_until), customs, words, number)
            start = min(stop, open_until)
            if not text[start:stop].strip():
                continue
        dash = _OPENING_DASH.match(text, start, stop) if customs.dashes else None
        if dash:
            spoken = _dash_paragraph(text, dash.end(), stop, customs, words, number)
            found.append(spoken)
            for tag in spoken.tags:
                found += _quoted(text, tag.start, tag.stop, customs, words, number)
            continue
        long = _long_quotation(text, start, stop, customs)
        if long:
            open_until = long
            found += _continued(text, start + 1, stop, customs, words, number)
        else:
            found += _quoted(text, start, stop, customs, words, number)
    return found


def _long_quotation(text: str, start: int, stop: int, customs: Customs) -> int:
    """Where a quotation ends that begins a paragraph and goes on in the next ones, 0 where there is
    none: its mark is closed later, and none is opened before."""
    pair = next((p for p in customs.quotes if p[0] == text[start] and p[0] != p[1]), None)
    if pair is None or _closing(text, start, stop, pair) >= 0:
        return 0
    limit = min(len(text), stop + _LONG_QUOTATION)
    closed = text.find(pair[1], stop, limit)
    again = text.find(pair[0], stop, limit)
    return closed if closed >= 0 and (again < 0 or closed < again) else 0


def _continued(
    text: str, start: int, stop: int, customs: Customs, words: SpeechWords | None, number: int
) -> list[DirectSpeech]:
    """A part of a quotation over several paragraphs."""
    if not text[start:stop].strip():
        return []
    dashed = Customs(customs.quotes, dashes=True, inverted=customs.inverted)
    made = _dash_paragraph(text, start, stop, dashed, words, number)
    return [DirectSpeech(start, stop, made.spans, made.tags, "quotes", number)]


def _is_single_quoted(text: str) -> bool:
    """Whether a British text speaks in single quotation marks."""
    singles = len(re.findall(r"(?<![^\W_])‘(?=\w)", text))
    return singles > 3 * (text.count("“") + text.count('"') // 2) and singles > 2


# Dashes -------------------------------------------------------------------------------------------


def _dash_paragraph(
    text: str, start: int, stop: int, customs: Customs, words: SpeechWords | None, number: int
) -> DirectSpeech:
    """Speech up to the author's words, the author's words up to where speech goes on, and so on."""
    spans: list[tuple[int, int]] = []
    tags: list[Tag] = []
    speaking, begun = True, start
    inside = _quoted_stretches(text, start, stop)
    for border in _borders(text, start, stop, customs):
        if any(opened < border.start() < closed for opened, closed in inside):
            continue
        before = text[begun : border.start()].rstrip()
        if speaking:
            if not _is_tag(text, border, stop, customs, words):
                continue
            spans.append((begun, border.start()))
        else:
            if not _resumes(before, text, border):
                continue
            tags.append(Tag(begun, border.start()))
        speaking, begun = not speaking, border.end()
    if speaking:
        spans.append((begun, stop))
    else:
        tags.append(Tag(begun, stop))
    spans, aside = _without_asides(text, spans, words)
    tags += aside
    if customs.inverted and words:
        spans, more = _without_inversions(text, spans, words)
        tags = sorted([*tags, *more], key=lambda tag: tag.start)
    trimmed = tuple(_trim(text, a, b) for a, b in spans if text[a:b].strip())
    return DirectSpeech(start, stop, trimmed, tuple(tags), "dash", number)


def _quoted_stretches(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Quotations within speech: what is said there has dashes of its own."""
    return [found.span() for found in _QUOTATION.finditer(text, start, stop)]


_QUOTATION = re.compile(r"«[^«»]{1,600}»|„[^„“]{1,600}“")


def _without_asides(
    text: str, spans: Sequence[tuple[int, int]], words: SpeechWords | None
) -> tuple[list[tuple[int, int]], list[Tag]]:
    """Speech without what the author tells in brackets: Встань! (Она схватила его.) Иди!"""
    kept: list[tuple[int, int]] = []
    tags: list[Tag] = []
    for start, stop in spans:
        begun = start
        for found in _ASIDE.finditer(text, start, stop):
            if words is None or not _is_act(found[1], words) or _first_person(found[1]):
                continue
            kept.append((begun, found.start()))
            tags.append(Tag(found.start(), found.end()))
            begun = found.end()
        kept.append((begun, stop))
    return kept, tags


_ASIDE = re.compile(r"(?<=[.!?…] )\(([А-ЯЁA-Z][^()]{3,400}[.!?…])\)")


def _borders(text: str, start: int, stop: int, customs: Customs) -> Iterator[re.Match[str]]:
    pattern = _TIGHT_BORDER if customs.tight else _BORDER
    return pattern.finditer(text, start, stop)


_BORDER = re.compile(rf"(?<!\s)\s+[{_DASH}-]+\s+")
# —Hola —dijo él—. Adiós.
_TIGHT_BORDER = re.compile(rf"(?<!\s)\s+[{_DASH}](?=\w)|(?<=\w)[{_DASH}](?=[\s.,;:!?]|$)[.,;:]?\s*")


def _is_tag(
    text: str, border: re.Match[str], stop: int, customs: Customs, words: SpeechWords | None
) -> bool:
    """Whether the author's words begin behind a dash inside speech."""
    ended = text[max(0, border.start() - 3) : border.start()].rstrip()
    before = "…" if ended.endswith("..") else ended[-1:]
    following = text[border.end() : min(stop, border.end() + 200)]
    if not following or words is None:
        return False
    if customs.tight:
        return text[border.start()].isspace() and following[0].islower()
    first = following.lstrip("«„“(")[:1]
    clause = re.split(rf"[.!?…:;]|,\s+[{_DASH}]|\s[{_DASH}]\s", following, maxsplit=1)[0]
    if before in "!?…»”)":
        if first.islower():
            return _has_verb(clause, words) or _is_act(clause, words)
        return _is_act(clause, words) and not _first_person(clause)
    if before == ",":
        if _SUBJECT_FIRST.match(clause):  # the speaker tells of himself
            return False
        return first.islower() and _has_verb(clause, words, near=True)
    if before in ".":
        return first.isupper() and _is_act(clause, words) and not _first_person(clause)
    # Polish and German authors need no mark before the dash.
    return first.islower() and _verb_first(clause, words) and words.past is not _RUSSIAN_PAST


def _has_verb(clause: str, words: SpeechWords, *, near: bool = False) -> bool:
    """Whether a verb of speech is among the first words, or any past tense of the third person."""
    found = [match[0].casefold() for match in WORD.finditer(clause)][:_TAG_WORDS]
    if any(words.is_verb(word) for word in found):
        return True
    few = found[:3] if near else found[:5]
    return words.past is not None and any(words.past.match(word) for word in few)


def _verb_first(clause: str, words: SpeechWords) -> bool:
    found = [match[0] for match in WORD.finditer(clause)][:3]
    return any(words.is_verb(word) for word in found)


def _is_act(clause: str, words: SpeechWords) -> bool:
    """Whether a clause tells what somebody does: "Он встал", "и она вышла"."""
    found = [match[0].casefold() for match in WORD.finditer(clause)][:5]
    return words.past is not None and any(words.past.match(word) for word in found)


_SUBJECT_FIRST = re.compile(r"\s*(?:я|мы|ты|вы|ja|my|ty|wy)\b", re.IGNORECASE)
_FIRST_PERSON = re.compile(r"\b(?:я|мы|ты|вы|мне|меня|тебя|вас|нас|ja|my|ty|wy)\b", re.IGNORECASE)


def _first_person(clause: str) -> bool:
    return _FIRST_PERSON.search(clause[:60]) is not None


def _resumes(author: str, text: str, border: re.Match[str]) -> bool:
    """Whether speech goes on behind a dash that ends the author's words."""
    last = author[-1:]
    following = text[border.end() : border.end() + 2].lstrip("«„“(…")
    if last in ",:;":
        return True
    if last in _TERMINAL or last in "»)":
        return following[:1].isupper() or not following[:1].isalpha()
    return not text[border.start()].isspace() or (last.isalpha() and following[:1].isupper())


def _without_inversions(
    text: str, spans: Sequence[tuple[int, int]], words: SpeechWords
) -> tuple[list[tuple[int, int]], list[Tag]]:
    """French: the author's words inside speech, which only their inversion shows."""
    kept: list[tuple[int, int]] = []
    tags: list[Tag] = []
    for start, stop in spans:
        begun = start
        for found in _INVERSION.finditer(text, start, stop):
            if not words.is_verb(found["verb"]):
                continue
            kept.append((begun, found.start("tag")))
            tags.append(Tag(found.start("tag"), found.end("tag")))
            begun = found.end("tag")
        kept.append((begun, stop))
    return [(a, b) for a, b in kept if text[a:b].strip(" ,.;")], tags


_INVERSION = re.compile(
    r"[,!?…]\s+(?P<tag>(?:s['’]|se\s+|me\s+|lui\s+)?(?P<verb>[a-zàâçéèêëîïôûùüÿœ]+)"
    r"(?:-t)?(?:-(?:il|elle|on|je|ils|elles)\b|\s+(?:[A-ZÀÂÉÈÊÎÔÛŒ]\w+|l[ea']\s?\w+|mon\s\w+|son\s\w+))"
    r"[^.,;:!?…]*[.,;:!?…]?)"
)


# Quotation marks ----------------------------------------------------------------------------------


def _quoted(
    text: str, start: int, stop: int, customs: Customs, words: SpeechWords | None, number: int
) -> list[DirectSpeech]:
    found: list[DirectSpeech] = []
    for opened, closed, ends in _pairs(text, start, stop, customs.quotes):
        inner = (opened + 1, closed)
        if not text[inner[0] : inner[1]].strip():
            continue
        tags = _tags_around(text, start, stop, opened, ends, words, customs)
        if found and not tags and _goes_on(text, found[-1], opened):
            tags = found[-1].tags
        elif not _is_speech(text, start, stop, opened, closed, ends, tags):
            continue
        spans, more = _inner_tags(text, *inner, customs, words)
        trimmed = tuple(_trim(text, a, b) for a, b in spans if text[a:b].strip())
        found.append(DirectSpeech(opened, ends, trimmed, (*tags, *more), "quotes", number))
    return found


def _goes_on(text: str, last: DirectSpeech, opened: int) -> bool:
    """Whether a quotation goes on with the speech before it: “It rains,” said he; “we stay.”"""
    between = text[last.stop : opened].strip()
    is_open = bool(last.tags) or text[last.stop - 2 : last.stop - 1] == ","
    return (
        is_open
        and between[-1:] in (";", ",", ":", *_DASH)
        and _CLAUSE.fullmatch(between, 0, len(between) - 1) is not None
    )


def _pairs(
    text: str, start: int, stop: int, quotes: Sequence[tuple[str, str]]
) -> Iterator[tuple[int, int, int]]:
    """Opening mark, closing mark, and where the quotation ends; outer pairs only. A quotation that
    is not closed in its paragraph goes on to the paragraph's end if the next one opens again."""
    at = start
    while at < stop:
        pair = next(
            (pair for pair in quotes if text[at] == pair[0] and _opens(text, at, pair)), None
        )
        if pair is None:
            at += 1
            continue
        closed = _closing(text, at, stop, pair)
        if closed < 0:
            following = text[stop : stop + 3].strip()
            if following[:1] == pair[0] and text[at + 1 : at + 2].strip():
                yield at, stop, stop
                return
            at += 1
            continue
        yield at, closed, closed + 1
        at = closed + 1


def _opens(text: str, at: int, pair: tuple[str, str]) -> bool:
    if pair[0] not in '"‘':
        return True
    before = text[at - 1 : at]
    return not before.isalnum() and before not in ("’", "'") and text[at + 1 : at + 2].strip() != ""


def _closing(text: str, at: int, stop: int, pair: tuple[str, str]) -> int:
    depth = 0
    for place in range(at + 1, stop):
        character = text[place]
        if character == pair[1] and pair[1] in '"’':
            # An apostrophe closes nothing: it stands inside a word, or before one.
            before, after = text[place - 1], text[place + 1 : place + 2]
            if pair[1] == '"':
                if not after.isalnum():
                    return place
            elif not after.isalnum() and before in ",.!?…—-–;:" + '”"':
                return place
        elif character == pair[0] and pair[0] != pair[1]:
            depth += 1
        elif character == pair[1]:
            if not depth:
                return place
            depth -= 1
    return -1


def _is_speech(
    text: str, start: int, stop: int, opened: int, closed: int, ends: int, tags: Sequence[Tag]
) -> bool:
    """Whether somebody says what is between these marks: it is introduced, ascribed, or a sentence
    of its own. A title, a quoted word and irony are none of that."""
    inner = text[opened + 1 : closed].strip()
    before, after = text[start:opened].rstrip(), text[ends:stop].lstrip()
    is_sentence = inner.endswith(_ENDS) or after.startswith(tuple(_TERMINAL))
    begins_upper = inner.lstrip("…—– ")[:1].isupper() or not inner[:1].isalpha()
    if tags:
        goes_on = before.endswith(",")  # she said, “if it rains.”
        return goes_on or begins_upper or inner[-1:] in ",!?…—-" or after[:1] == ","
    if before.endswith(":"):
        return begins_upper and is_sentence
    starts_sentence = not before or before[-1] in _TERMINAL + '»”"’“'
    if starts_sentence and begins_upper:
        return (
            inner.endswith(_ENDS)
            or (ends == stop and not before)
            or (after.startswith(tuple(_TERMINAL)) and len(inner.split()) >= _FEW_WORDS)
        )
    if before.endswith((",", "—", "–")):
        return begins_upper and inner.endswith((*_TERMINAL, ","))
    return False


def _tags_around(
    text: str,
    start: int,
    stop: int,
    opened: int,
    ends: int,
    words: SpeechWords | None,
    customs: Customs,
) -> tuple[Tag, ...]:
    """The author's words behind a quotation, or before it."""
    if words is None:
        return ()
    behind = _BEHIND.match(text, ends, stop)
    parted = behind is not None and (
        any(dash in behind[0] for dash in _DASH)
        or (
            (not customs.dashes or customs.inverted or words.past is None)
            and ("," in behind[0] or text[ends - 2] in ",!?…—–-")
        )
    )
    if behind and parted:
        clause = _CLAUSE.match(text, behind.end(), stop)
        if clause and _has_verb(clause[0], words, near=True):
            return (Tag(clause.start(), clause.end()),)
    before = text[start:opened].rstrip()
    if before[-1:] in (":", ","):
        clause_start = max(before.rfind(mark) for mark in ".!?…»”") + 1
        ahead = before[clause_start:]
        # A signboard hung there, too: it says nothing.
        ended = text[opened:ends].rstrip('»”“"’ ')[-1:] in _TERMINAL + ","
        says = any(words.is_verb(word[0]) for word in WORD.finditer(ahead))
        if says or (ended and _has_verb(ahead, words)):
            return (Tag(start + clause_start, start + len(before)),)
    return ()


_BEHIND = re.compile(rf"[,.!?…]?\s*(?:[{_DASH}-]\s+)?(?=\w)")
_CLAUSE = re.compile(r"(?:[^.!?…;:«“”„\"]|(?<=\bMr)\.|(?<=\bMrs)\.|(?<=\bMs)\.|(?<=\bDr)\.){1,160}")


def _inner_tags(
    text: str, start: int, stop: int, customs: Customs, words: SpeechWords | None
) -> tuple[list[tuple[int, int]], list[Tag]]:
    """«Хорошо, — подумал он, — пойдём»: the author's words inside the marks."""
    if words is None:
        return [(start, stop)], []
    if customs.inverted:
        return _without_inversions(text, [(start, stop)], words)
    if not customs.dashes:
        return [(start, stop)], []
    made = _dash_paragraph(text, start, stop, Customs(customs.quotes, dashes=True), words, 0)
    return list(made.spans), list(made.tags)


def _trim(text: str, start: int, stop: int) -> tuple[int, int]:
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return start, stop


_RUSSIAN_PAST = getattr(speech_words("ru"), "past", None)
