"""Who says an utterance: by the author's verb and pronoun, by a name beside it, by turns.

Nothing is guessed from what is said. An utterance without evidence has no speaker and no gender.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tts_book.text.dialogue.direct_speech import (
    FEMALE,
    MALE,
    WORD,
    DirectSpeech,
    SpeechWords,
    Tag,
    speech_words,
)
from tts_book.text.language_tags import primary_language

_NAME = re.compile(r"[^\W\d_a-zа-яёіїєґ][^\W\d_]*(?:['’-][^\W\d_]+)*")
_TITLES = {
    "mr": MALE, "mister": MALE, "sir": MALE, "lord": MALE, "monsieur": MALE, "herr": MALE,
    "mrs": FEMALE, "miss": FEMALE, "ms": FEMALE, "lady": FEMALE, "madame": FEMALE,
    "mademoiselle": FEMALE, "frau": FEMALE,
}  # fmt: skip
_TAG_WORDS = 12
_ADDRESS = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|Fr)\.")
# A name must be of one gender so often before it tells that of a tag without one.
_NAME_SHARE, _NAME_LEAST = 0.8, 2


class Evidence(StrEnum):
    """By which rule a speaker was found."""

    VERB = "verb"
    PRONOUN = "pronoun"
    NAME = "name"
    TURN = "turn"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The speaker of an utterance: a name as the author writes it ("" if none is given), the gender
    ("male", "female" or ""), and by what each was found."""

    utterance: DirectSpeech
    name: str = ""
    gender: str = ""
    evidence: Evidence = Evidence.NONE


def attribute_speech(
    text: str,
    utterances: Sequence[DirectSpeech],
    language: str,
    aliases: Mapping[str, str] | None = None,
    genders: Mapping[str, str] | None = None,
) -> list[Attribution]:
    """The speaker of each utterance. `aliases` lead names (case-folded) to a speaker, `genders`
    speakers to theirs: both win over what is found."""
    words = speech_words(primary_language(language))
    if words is None:
        return [Attribution(utterance) for utterance in utterances]
    known = dict(aliases or {})
    found = [_by_tags(text, utterance, words, known) for utterance in utterances]
    learned = {**_genders_of_names(found), **(genders or {})}
    named = [_by_name(each, learned) for each in found]
    return _by_turns(named)


def _by_tags(
    text: str, utterance: DirectSpeech, words: SpeechWords, aliases: Mapping[str, str]
) -> Attribution:
    best = Attribution(utterance)
    for tag in utterance.tags:
        name = _find_name(text, tag, words, aliases)
        gender, evidence = _find_gender(text[tag.start : tag.stop], words)
        if name and not best.name:
            best = replace(best, name=name)
        if gender and not best.gender:
            best = replace(best, gender=gender, evidence=evidence)
        if best.name and best.gender:
            break
    return best


def _find_gender(tag: str, words: SpeechWords) -> tuple[str, Evidence]:
    """By the first verb in the past tense, where the language shows it; else by a pronoun or a word
    for a man or a woman beside a verb of speech."""
    clause = re.split(r"[.;!?…]", tag, maxsplit=1)[0]
    found = [match[0] for match in WORD.finditer(clause)][:_TAG_WORDS]
    if words.past is not None:
        candidates = [word for word in found if words.is_verb(word)] or found
        for word in candidates:
            past = words.past.match(word.casefold())
            if past is None or (word[0].isupper() and word is not found[0]):
                continue
            if past.groupdict().get("n"):
                return "", Evidence.NONE
            return (FEMALE if past.groupdict().get("f") else MALE), Evidence.VERB
    spoken = next((at for at, word in enumerate(found) if words.is_verb(word)), None)
    if spoken is None or words.male is None or words.female is None:
        return "", Evidence.NONE
    for word in found[max(0, spoken - 2) : spoken] + found[spoken + 1 : spoken + 3]:
        if words.male.fullmatch(word):
            return MALE, Evidence.PRONOUN
        if words.female.fullmatch(word):
            return FEMALE, Evidence.PRONOUN
        if word.casefold() in _TITLES:
            return _TITLES[word.casefold()], Evidence.PRONOUN
    return "", Evidence.NONE


def _find_name(text: str, tag: Tag, words: SpeechWords, aliases: Mapping[str, str]) -> str:
    """A name beside the verb of speech, as the author writes it, or the speaker it stands for."""
    clause = re.split(r"[;!?….]", _ADDRESS.sub(r"\1 ", text[tag.start : tag.stop]))[0]
    tokens = list(WORD.finditer(clause))[:_TAG_WORDS]
    verbs = [at for at, token in enumerate(tokens) if words.is_verb(token[0])]
    if not verbs and words.past is not None:
        verbs = [at for at, token in enumerate(tokens) if words.past.match(token[0].casefold())]
    for verb in verbs[:1]:
        if verb + 1 < len(tokens) and tokens[verb + 1][0].casefold() in _NO_NAMES:
            return ""  # said he to Lucy
        behind = _name_from(tokens, verb + 1, clause, allow_skips=1)
        before = _name_before(tokens, verb, clause)
        name = behind or before
        if name:
            return aliases.get(name.casefold(), name)
    for token in tokens:
        if token[0].casefold() in aliases and token[0][0].isupper():
            return aliases[token[0].casefold()]
    return ""


def _name_from(tokens: Sequence[re.Match[str]], at: int, clause: str, allow_skips: int) -> str:
    for skip in range(allow_skips + 1):
        first = at + skip
        if first >= len(tokens) or "," in clause[tokens[at - 1].end() : tokens[first].start()]:
            return ""
        if not _is_name(tokens[first][0]):
            continue
        last = first
        while (
            last + 1 < len(tokens)
            and _is_name(tokens[last + 1][0])
            and not re.search(
                r"[,.;:]\s",
                clause[tokens[last].end() : tokens[last + 1].start()],
            )
        ):
            last += 1
        return " ".join(token[0] for token in tokens[first : last + 1])
    return ""


def _name_before(tokens: Sequence[re.Match[str]], verb: int, clause: str) -> str:
    at = verb - 1
    if at < 0 or not _is_name(tokens[at][0]):
        return ""
    first = at
    while first and _is_name(tokens[first - 1][0]):
        first -= 1
    return " ".join(token[0] for token in tokens[first : at + 1])


_NO_NAMES = frozenset(
    [
        "i",
        "he",
        "she",
        "they",
        "we",
        "you",
        "it",
        "the",
        "a",
        "an",
        "and",
        "but",
        "then",
        "so",
        "он",
        "она",
        "они",
        "я",
        "мы",
        "вы",
        "ты",
        "и",
        "а",
        "но",
        "тогда",
        "тут",
        "наконец",
        "потом",
        "вдруг",
        "это",
        "что",
        "как",
        "когда",
        "затем",
        "здесь",
        "там",
        "все",
        "всё",
        "никто",
        "кто-то",
        "ich",
        "er",
        "sie",
        "wir",
        "und",
        "da",
    ]
)


def _is_name(word: str) -> bool:
    return _NAME.fullmatch(word) is not None and word.casefold() not in _NO_NAMES and len(word) > 1


def _genders_of_names(found: Sequence[Attribution]) -> dict[str, str]:
    """The gender of a name, by the verbs beside it in the whole book."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in found:
        if each.name and each.gender:
            counts[each.name][each.gender] += 1
    return {
        name: gender
        for name, genders in counts.items()
        for gender, count in genders.most_common(1)
        if count >= _NAME_LEAST and count >= _NAME_SHARE * genders.total()
    }


def _by_name(each: Attribution, genders: Mapping[str, str]) -> Attribution:
    gender = genders.get(each.name, "") if each.name else ""
    if each.name and gender and not each.gender:
        return replace(each, gender=gender, evidence=Evidence.NAME)
    return each


def _by_turns(found: Sequence[Attribution]) -> list[Attribution]:
    """In a run of replies, paragraph after paragraph, speakers take turns: who speaks is who spoke
    two replies before, and who will speak two replies later."""
    made = list(found)
    for order in (range(2, len(made)), range(len(made) - 3, -1, -1)):
        for at in order:
            step = -2 if order.step > 0 else 2
            other, between = made[at + step], made[at + step // 2]
            if made[at].gender or not other.gender or not _are_turns(other, between, made[at]):
                continue
            made[at] = replace(
                made[at], name=other.name, gender=other.gender, evidence=Evidence.TURN
            )
    return made


def _are_turns(*replies: Attribution) -> bool:
    paragraphs = sorted(reply.utterance.paragraph for reply in replies)
    return all(reply.utterance.rule == "dash" for reply in replies) and (
        paragraphs == list(range(paragraphs[0], paragraphs[0] + 3))
    )
