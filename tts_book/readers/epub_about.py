"""What an EPUB's package file says of the book: title, authors, series, and what its pages are."""

from __future__ import annotations

from collections.abc import Callable

from tts_book.readers.tree_text import Element, attribute, name_of, words

# Pages that the guide of an EPUB 2 names and that are not read aloud.
_GUIDE = {
    "toc": "contents list",
    "loi": "contents list",
    "lot": "contents list",
    "index": "index",
    "copyright-page": "copyright",
    "colophon": "copyright",
    "title-page": "title page",
    "cover": "cover",
    "notes": "notes",
}


def metadata(root: Element) -> dict[str, str]:
    """`title`, `creator`, `language`, `series` and `series_part`, as far as they are told."""
    found: dict[str, list[str]] = {}
    for element in root.iter():
        if name_of(element) in ("title", "creator", "language") and words(element):
            found.setdefault(name_of(element), []).append(words(element))
    made = {key: values[0] for key, values in found.items()}
    if "creator" in found:
        made["creator"] = ", ".join(dict.fromkeys(found["creator"][:3]))
    return made | _series([e for e in root.iter() if name_of(e) == "meta"])


def _series(metas: list[Element]) -> dict[str, str]:
    """As EPUB 3 or Calibre writes it."""
    refined = {(attribute(m, "refines"), attribute(m, "property")): m for m in reversed(metas)}
    for meta in metas:
        if attribute(meta, "property") == "belongs-to-collection" and words(meta):
            id_ = f"#{attribute(meta, 'id')}"
            if words(refined.get((id_, "collection-type"))) != "set":
                part = words(refined.get((id_, "group-position")))
                return {"series": words(meta), "series_part": part}
    told = {attribute(m, "name"): attribute(m, "content") for m in metas}
    if name := told.get("calibre:series"):
        part = told.get("calibre:series_index", "").removesuffix(".0")
        return {"series": name, "series_part": part}
    return {}


def guide(root: Element, path_of: Callable[[str], str]) -> dict[str, str]:
    """Why pages are left out, by path."""
    found: dict[str, str] = {}
    for element in root.iter():
        if name_of(element) == "reference":
            reason = _GUIDE.get(attribute(element, "type").lower().removeprefix("other."))
            href = attribute(element, "href")
            if reason and href and "#" not in href:
                found.setdefault(path_of(href), reason)
    return found
