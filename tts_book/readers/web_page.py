"""Web pages: what of them is not their text, and what they are called.

Only pages from the web are looked at like this; the pages of a book have no cookie banners.
"""

from __future__ import annotations

import re

from tts_book.readers.tree_text import Element, attribute, name_of, text_of

_ROLES = {
    "navigation": "navigation", "search": "form field", "contentinfo": "page footer",
    "dialog": "dialog", "alertdialog": "dialog", "complementary": "sidebar", "menu": "navigation",
    "menubar": "navigation", "toolbar": "navigation",
}  # fmt: skip
_WORDS = {
    "cookie notice": "cookie cookies consent gdpr cookiebar cookiebanner cookie-banner "
    "cookie-notice cookie-consent cookie-bar cookie-law cookie-popup",
    "comments": "comments comment-list commentlist comments-area comments-section comment-section "
    "disqus disqus_thread respond comment-respond comment-form",
    "navigation": "navbar nav-bar navigation site-navigation main-navigation breadcrumb "
    "breadcrumbs menu main-menu site-menu skip-link skiplink pagination pager post-navigation",
    "sidebar": "sidebar side-bar widget widget-area related related-posts related-articles "
    "recommendations newsletter subscribe subscription share sharing share-buttons social "
    "social-share social-links promo",
    "advertisement": "ad ads advert adverts advertisement advertising banner-ad sponsored",
    "page footer": "footer site-footer page-footer footer-wrapper",
    "page header": "site-header masthead topbar top-bar",
    "contents list": "toc table-of-contents",
    "Project Gutenberg licence": "pg-boilerplate pgheader pgfooter",
}
_BY_WORD = {word: reason for reason, words in _WORDS.items() for word in words.split()}
_COOKIE = frozenset(("cookie", "cookies", "gdpr", "consent"))
_BANNER = frozenset(("banner", "notice", "bar", "popup", "modal", "dialog", "overlay", "message"))
_OF_ARTICLE = ("article", "main", "section", "blockquote", "figure")
_SIMPLE = re.compile(r"[.#][\w-]{1,100}")
_LONGEST_STYLE = 500_000  # characters
_DEEPEST = 200  # elements around a footer


class Site:
    """What of a web page belongs to its site rather than to its text."""

    def __init__(self, root: Element) -> None:
        self._hidden = _find_hidden(root)
        # The page's own text or title stands in these, whatever they are called.
        self._hold_text: set[Element] = set()
        for element in root.iter():
            if name_of(element) in ("article", "main", "h1"):
                for up in element.iterancestors():
                    if up in self._hold_text:
                        break
                    self._hold_text.add(up)

    def hides(self, element: Element) -> bool:
        """Whether the page's own style sheet hides an element by its class or id."""
        if not self._hidden:
            return False
        classes = (f".{name}" for name in element.get("class", "").split())
        return f"#{element.get('id')}" in self._hidden or any(c in self._hidden for c in classes)

    def find_reason(self, element: Element, name: str) -> str:
        """Why an element is left out; empty if it is text."""
        if name in ("html", "body", "main", "article", "h1"):
            return ""
        return "" if element in self._hold_text else _reason_of(element, name)


def _reason_of(element: Element, name: str) -> str:
    role = attribute(element, "role")
    if role in _ROLES:
        return _ROLES[role]
    if name == "nav":
        return "navigation"
    if name in ("footer", "header") and not _is_of_article(element):
        return f"page {name}"
    if name == "aside" and not _is_of_article(element) and _is_made_of_links(element):
        return "sidebar"
    said = f"{element.get('class', '')} {element.get('id', '')}".lower()
    words = set(re.findall(r"[^\W_]+", said))
    if words & _COOKIE and words & _BANNER:
        return "cookie notice"
    return next((_BY_WORD[word] for word in said.split() if word in _BY_WORD), "")


def _is_made_of_links(element: Element) -> bool:
    links = sum(len(text_of(inner)) for inner in element.iter() if name_of(inner) == "a")
    return 2 * links > len(text_of(element))


def _is_of_article(element: Element) -> bool:
    for depth, up in enumerate(element.iterancestors()):
        if name_of(up) in _OF_ARTICLE or depth > _DEEPEST:
            return True
    return False


def _find_hidden(root: Element) -> frozenset[str]:
    """Classes and ids that a page's style sheets do not show, as `.class` and `#id`."""
    found: set[str] = set()
    for style in root.iter("style", "{*}style"):
        for rule in (style.text or "")[:_LONGEST_STYLE].split("}"):
            selectors, _, declarations = rule.partition("{")
            if is_unseen(declarations):
                names = map(str.strip, selectors.split(","))
                found.update(name for name in names if _SIMPLE.fullmatch(name))
    return frozenset(found)


def is_unseen(style: str) -> bool:
    """Whether these declarations hide what they are for."""
    if "display" not in style and "visibility" not in style:
        return False
    pairs = (declaration.partition(":") for declaration in style.lower().split(";"))
    told = {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}
    return told.get("display") == "none" or told.get("visibility") == "hidden"


def find_title(root: Element) -> str:
    """What a page is called: as its article is, rather than with the name of the site."""
    title = next((text_of(e) for e in root.iter() if name_of(e) == "title"), "")
    heads = [e for e in root.iter() if name_of(e) == "h1" and text_of(e)]
    of_article = [e for e in heads if any(name_of(up) in ("article", "main") for up in _above(e))]
    heads = heads if len(heads) == 1 else of_article
    if len(heads) == 1:
        head = text_of(heads[0])
        at = title.casefold().find(head.casefold())
        if at >= 0:
            return title[at : at + len(head)]  # which may be in capitals in the page
        if of_article or not title:
            return head
    metas = (e for e in root.iter() if name_of(e) == "meta")
    shared = (m.get("content") for m in metas if attribute(m, "property") == "og:title")
    return next((str(name).strip() for name in shared if name), title)


def _above(element: Element) -> list[Element]:
    return [up for _, up in zip(range(_DEEPEST), element.iterancestors(), strict=False)]
