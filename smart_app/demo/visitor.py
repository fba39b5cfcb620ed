"""A browser small enough to walk the demo: cookies, redirects and forms, on this machine's loopback only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests
from requests.cookies import get_cookie_header

from smart_app.settings import is_loopback

_TIMEOUT_S = 30.0
_MOST_HOPS = 10
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "circle", "source", "wbr"})


class VisitFault(Exception):
    """Something on the way was not as it should be; the text says where and what."""


@dataclass(slots=True)
class Element:
    """One element of a page: name, attributes, and what stands in it."""

    name: str
    attributes: Mapping[str, str]
    parts: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, with single blanks."""
        return " ".join(" ".join(_texts(self)).split())

    def all(self, name: str, **attributes: str) -> list[Element]:
        """The elements in it of that name whose attributes contain these values."""
        return [
            one
            for one in _walk(self)
            if one.name == name
            and all(value in one.attributes.get(key, "") for key, value in attributes.items())
        ]


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it came: its last address, status, text and elements, and how many redirects led to it."""

    url: str
    status: int
    text: str
    body: Element
    hops: int

    def as_json(self) -> object:
        """The body as JSON; raises `VisitFault`."""
        try:
            return json.loads(self.text)
        except ValueError as fault:
            raise VisitFault(f"{_path(self.url)} is no JSON") from fault


class Visitor:
    """Visits pages one after the other, as one browser would.

    Browsers take loopback for secure and keep `Secure` and `__Host-` cookies there, which HTTP libraries do not;
    this one does, and goes nowhere else. Raises `VisitFault` alone.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(secure_protocols=("https", "http")))

    def visit(self, url: str, form: Mapping[str, str] | None = None) -> Page:
        """The page at an address, after all redirects; with a form its answer. Any status but 200 is a fault."""
        origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        for hops in range(_MOST_HOPS):
            answer = self._ask(url, form, origin)
            if answer.is_redirect:
                url, form = urljoin(url, answer.headers["Location"]), None
                continue
            if answer.status_code != 200:
                raise VisitFault(f"{_path(url)} answered {answer.status_code}")
            answer.encoding = "utf-8"
            return Page(url, answer.status_code, answer.text, read_page(answer.text), hops)
        raise VisitFault(f"{_path(url)}: more than {_MOST_HOPS} redirects")

    def close(self) -> None:
        """Forgets cookies and connections."""
        self._session.close()

    def _ask(self, url: str, form: Mapping[str, str] | None, origin: str) -> requests.Response:
        if not is_loopback(urlsplit(url).hostname or ""):
            raise VisitFault("a redirect led away from this machine")
        headers = {"Accept": "text/html,application/json;q=0.9"}
        if form is not None:
            headers |= {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        method = "GET" if form is None else "POST"
        prepared = requests.Request(method, url, data=form, headers=headers).prepare()
        # the session's own preparing copies its cookies into a jar without our policy
        cookies = get_cookie_header(self._session.cookies, prepared)  # type: ignore[no-untyped-call]
        if cookies:
            prepared.headers["Cookie"] = cookies
        try:
            return self._session.send(prepared, timeout=_TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as fault:
            raise VisitFault(f"{_path(url)} cannot be reached ({type(fault).__name__})") from None


def read_page(text: str) -> Element:
    """The elements of a page."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.root


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].parts.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].parts.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].name == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)


def _walk(element: Element) -> Iterator[Element]:
    for part in element.parts:
        if isinstance(part, Element):
            yield part
            yield from _walk(part)


def _texts(element: Element) -> Iterator[str]:
    for part in element.parts:
        if isinstance(part, str):
            yield part
        else:
            yield from _texts(part)


def _path(url: str) -> str:
    return urlsplit(url).path or "/"
