"""Plain report text -> a flat row of meaning tokens: markers, values, signs, numbers, populations, separators."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mappings.reading.report.words import Words

_SIGN = (
    r"\+[ ]?/[ ]?-|-[ ]?/[ ]?\+|±|\(\+\)/-|-/\(\+\)|[1-4]\+(?![\w])|\+ve\b|-ve\b|"
    r"(?:w|wk|dim|low|weak|lo|br|bright|hi|high|str|strong|mod|het|part|partial|int)\+(?![+\w])|"
    r"\+{1,4}(?:w|wk|dim|low|weak|lo|br|bright|str|strong|mod|het|hi|part|partial)\b|\+{1,4}"
)
_LEAD = r"(?:[ \t]{0,3}(?:[:=|]|\.{2,}|…)[ \t]{0,3})?"
_AFTER = re.compile(
    rf"{_LEAD}(?:(?P<brack>[ \t]?[(\[][ \t]?(?P<s1>{_SIGN}|-|–|neg|pos|\?)[ \t]?[)\]])"
    rf"|(?P<wrap>[ \t]{{0,3}}\n[ \t]{{0,20}}(?P<s3>{_SIGN}|-)(?=[,;.]))"
    rf"|(?P<bare>[ \t]{{0,3}}(?P<s2>{_SIGN}|\?|↓{{1,3}}|↑{{1,3}}))"
    r"|(?P<mask>[ \t]{0,3}(?:[-–—_*#xX]{3,}|[~;*#_=<>?!^°§$:]{3,}|[-_*#]{2}|—(?=[ \t]{0,9}(?:$"
    r"|[\n,;|)]))|[(\[][ \t._-]{0,8}[)\]](?=[ \t]{0,9}(?:$|[\n,;|.])))(?![\w>]))"
    r"|(?P<minus>[ \t]{0,3}[-–](?!>)))",
    re.IGNORECASE,
)
_KEYED = re.compile(r"[ \t]*[:=|.(\[]{0,6}[ \t]*([^\s|,;()\[\]]{1,5})(?=[\s|,;)\]]|$)")
_MINUS_ENDS = re.compile(
    r"[ \t]*(?:$|[,;|)\]/.\n+&]|(?:and|or|but|und|et|e|y|sowie|with|cd\d|s?ig[mgd]?\b|kappa|lambda|\())", re.I
)
_SCAN = re.compile(
    r"(?P<mark>(?<![a-zA-Z0-9])(?P<pre>s|c|cy|cyt|m|sm|ic|anti[- ]?|α)?CD(?P<num>\d{1,3})"
    r"(?P<suf>[a-zA-Z]{0,12}))"
    r"|(?P<box>\[[ ]?[xX✓✔]?[ ]?\]|[☐☑☒□■✓✔]|\([xX ]\))"
    r"|(?P<pct>(?:[<>~≈][ \t]?=?[ \t]?)?(?:\d{1,3}(?:[.,]\d{1,3})?)(?:[ \t]?%?[ \t]?(?:-|–|to|bis"
    r"|à|a|al?)[ \t]?\d{1,3}(?:[.,]\d{1,3})?)?"
    r"[ \t]?(?:%|pct\b|percent\b|per cent\b|prozent\b|v\.H\.))"
    r"|(?P<of>(?<![\d.,])(?<!\d{3} )(?<![ ]\d )\d{1,3}(?:[.,]?\d{3})?[ \t]?(?:of|out of|/|von|sur"
    r"|su|de|in)[ \t]?\d{1,3}(?:[.,]?\d{3})?(?![\d/]|[.,]\d|[ ]\d))"
    r"|(?P<num2>\d{1,3}(?:[.,]\d{3})+(?![\d])|\d{1,9}(?:[.,]\d{1,4})?)"
    r"|(?P<nl>\n)"
    r"|(?P<arrow>->|=>|→|⇒|-->)"
    r"|(?P<circle>>>|<<|«|»)"
    r"|(?P<dots>\.{2,}|…)"
    r"|(?P<slist>(?<![\w/+-])(?:\(\+\)|[+±-])(?:/(?:\(\+\)|[+±-])){1,6}(?![\w/+]))"
    rf"|(?P<sign>(?<![\w+/])(?:{_SIGN})(?![\w+]))"
    r"|(?P<maskrun>[-–—_*#=~]{3,}|_{2,}|\*{2,})"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)"
    r"|(?P<other>[^\s\w]|_)",
    re.IGNORECASE,
)


_COMPARATOR = re.compile(
    r"(?P<no>\bnot |\bno |\bnicht |\bpas |\bnon |\bat most |\bat least |\bmindestens |\bhöchstens )?"
    r"(?:(?P<more>\b(?:above|over|more than|greater than|exceeding|mehr als|über|plus de|più di"
    r"|oltre|más de)|(?<=at most )|(?<=up to )|(?<=höchstens ))"
    r"|(?:\b(?:below|under|less than|fewer than|weniger als|unter|moins de|meno di|menos de)|"
    r"(?<=at least )|(?<=mindestens )))[ ]?$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Token:
    """One piece of meaning with its place; `kind` says what, `val` which, `lo`/`hi` hold a number."""

    kind: str
    val: str
    start: int
    end: int
    text: str = ""
    lo: float = 0.0
    hi: float = 0.0
    sign: str = ""
    sub: str = ""


def sign_value(sign: str) -> str:
    """The state that a written sign stands for (narrative rules 5 and 12)."""
    sign = sign.lower().replace(" ", "").replace("–", "-")
    if sign in ("-", "-ve", "neg", "0"):
        return "neg"
    if sign == "?":
        return "unk"
    if sign[0] in "↓↑":
        return "low" if sign[0] == "↓" else "pos"
    if any(w in sign for w in ("br", "hi", "str", "mod", "int")):
        return "pos"
    if "/" in sign or sign in ("±", "1+") or any(w in sign for w in ("w", "dim", "lo", "het", "part")):
        return "low"
    return "pos"


def number(text: str) -> float:
    """A written number; a comma or point before three digits groups thousands, otherwise it is decimal."""
    text = text.strip()
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", text) and not text.startswith("0"):
        return float(re.sub(r"[.,]", "", text))
    return float(text.replace(",", "."))


def _percent(text: str) -> tuple[float, float]:
    numbers = [float(n.replace(",", ".")) for n in re.findall(r"\d+(?:[.,]\d+)?", text)]
    low, high = numbers[0], numbers[-1]
    if text[0] == "<":
        return 0.0, high - 0.01
    if text[0] == ">":
        return low + (0.0 if "=" in text else 0.01), 100.0
    return low, high


def _compare(token: Token, before: str) -> None:
    match = _COMPARATOR.search(before)
    if not match:
        return
    above = match.group("more") is not None
    if above != bool(match.group("no")):
        token.lo, token.hi = token.lo, 100.0
    else:
        token.lo, token.hi = 0.0, token.hi - (0.0 if match.group("no") else 0.01)


class Scanner:
    """Walks the text once and hands out tokens; no state survives a text."""

    def __init__(self, text: str, words: Words, soft: frozenset[int], legend: dict[str, str]) -> None:
        self.text, self.words, self.soft, self.legend = text, words, soft, legend
        self.out: list[Token] = []

    def run(self) -> list[Token]:
        """All tokens of the text, phrases joined."""
        pos, text = 0, self.text
        scan = _SCAN.search
        while match := scan(text, pos):
            kind = match.lastgroup or ""
            pos = match.end()
            if match.group("mark"):
                pos = self._marker(match)
            elif kind == "nl":
                if match.start() not in self.soft:
                    self._add("nl", "", match)
            elif kind == "box":
                self._add("box", "x" if match.group().strip("[]() ") not in ("", "☐", "□") else "", match)
            elif kind == "pct":
                token = self._add("pct", "", match)
                token.lo, token.hi = _percent(match.group())
                _compare(token, self.text[max(0, match.start() - 22) : match.start()])
            elif kind == "of":
                self._of(match)
            elif kind in ("arrow", "circle"):
                self._add(kind, "", match)
            elif kind == "num2":
                self._add("num", "", match)
            elif kind == "slist":
                self._slash_list(match)
            elif kind == "dots":
                self._add("dots", "", match)
            elif kind == "sign":
                self._add("v", sign_value(match.group()), match).sub = "sign"
            elif kind == "maskrun":
                self._add("mask", "", match)
            else:
                self._add("w", "", match)
        return self._join()

    def _add(self, kind: str, val: str, match: re.Match[str]) -> Token:
        token = Token(kind, val, match.start(), match.end(), match.group().lower())
        self.out.append(token)
        return token

    def _of(self, match: re.Match[str]) -> None:
        first, last = (number(n) for n in re.findall(r"\d+(?:[.,]\d+)*", match.group())[:2])
        token = self._add("pct", "of", match)
        slash = "/" in match.group()
        if (" in " in match.group() and last not in (10, 20, 50, 100, 1000, 10000)) or (
            slash and (last < 20 or 1900 <= last <= 2100 or (first < 13 and last < 32))
        ):
            token.kind = "w"
        elif last and first <= last:
            token.lo = token.hi = 100 * first / last
            _compare(token, self.text[max(0, match.start() - 22) : match.start()])
        else:
            token.kind = "w"

    def _slash_list(self, match: re.Match[str]) -> None:
        signs = [sign_value(s.strip("()")) for s in match.group().split("/")]
        run: list[Token] = []
        for token in reversed(self.out):
            if token.kind == "m" and not token.sign and len(run) < len(signs):
                run.append(token)
            elif (run and token.text != "/") or token.text in (".", ";"):
                break
        if len(run) == len(signs):
            for token, sign in zip(reversed(run), signs, strict=True):
                token.sign = sign
        elif match.group() in ("+/-", "-/+"):
            self._add("v", "low", match).sub = "sign"

    def _marker(self, match: re.Match[str]) -> int:
        digits, suffix = match.group("num"), match.group("suf").lower()
        glued, end = self.words.glued.get(suffix, ""), match.end("num")
        antigen = self.words.numbers.get(digits, "")
        if suffix and not glued and antigen and suffix not in ("a", "x", "s"):
            rest = next((s for s in self.words.glued if len(s) > 2 and suffix.startswith(s)), "")
            glued, end = (self.words.glued[rest], end + len(rest)) if rest else ("", end)
        elif suffix:
            end = match.end("suf")
        prefix = (match.group("pre") or "").lower().rstrip("- ")
        token = Token("m", antigen, match.start(), end, match.group().lower(), sign=glued, sub=prefix)
        self.out.append(token)
        if suffix == "x" and antigen:
            token.sub = "anti!"
        if not antigen and suffix and not glued and len(suffix) > 2:
            token.end = end = match.end("num")
        return self._sign(token, end)

    def _sign(self, token: Token, end: int) -> int:
        if self.legend:
            keyed = _KEYED.match(self.text, end)
            key = keyed.group(1).lower().replace("–", "-").replace("—", "-") if keyed else ""
            key = key if key in self.legend else key.rstrip(".")
            if keyed and key in self.legend:
                token.sign, token.end = self.legend[key], keyed.end()
                return keyed.end()
        match = _AFTER.match(self.text, end)
        if not match:
            return end
        if match.group("mask"):
            token.sign, token.end = "unk", match.end()
            return match.end()
        raw = match.group("s1") or match.group("s2") or match.group("s3")
        if raw:
            token.sign, token.end = token.sign if token.sign == "low" else sign_value(raw), match.end()
            return match.end()
        if match.group()[0] in ":=|.…" or match.group().lstrip(" \t")[:1] in (":", "=", "|", ".", "…"):
            if not _MINUS_ENDS.match(self.text, match.end()):
                return end
            token.sign, token.end = token.sign or "neg", match.end()
            return match.end()
        attached = self.text[end] in "-–"
        after = _MINUS_ENDS.match(self.text, match.end())
        spaced = not attached or self.text[match.end() : match.end() + 1].isspace()
        if after and (
            spaced
            or not self.text[match.end() : match.end() + 1].isalpha()
            or after.group().lower().startswith("cd")
        ):
            token.sign, token.end = token.sign or "neg", match.end()
            return match.end()
        if attached and spaced:
            word = re.compile(r"[ \t]*([^\W\d_]+|\d)").match(self.text, match.end())
            first = word.group(1).lower() if word else ""
            kinds = {e[1] for e in self.words.entries(first)}
            if not first.isdigit() and not kinds & {"pos", "neg", "low", "failed", "pending"}:
                token.sign, token.end = token.sign or "neg", match.end()
        return match.end()

    def _join(self) -> list[Token]:
        raw, out, index = self.out, [], 0
        while index < len(raw):
            token = raw[index]
            if token.kind in ("w", "num", "pct") or (token.kind == "v" and token.sub == "sign"):
                found, after = self._phrase(index)
                if found:
                    last = raw[after - 1]
                    token = self._made(token, found, last.end)
                    out.append(token)
                    index = after
                    continue
            if not (token.kind == "w" and token.text == "-"):
                out.append(token)
            index += 1
        return out

    def _phrase(self, index: int) -> tuple[str, int]:
        raw, count, text = self.out, len(self.out), self.out[index].text
        longer, single = self.words.branches(text)
        second = index + 1
        if longer and second < count:
            if raw[second].text == "-" and raw[index].end == raw[second].start:
                second += 1
            for parts, kind in longer.get(raw[second].text, ()) if second < count else ():
                at = second + 1
                for part in parts[2:]:
                    if at < count and raw[at].text == "-" and raw[at - 1].end == raw[at].start:
                        at += 1
                    if at >= count or raw[at].text != part:
                        break
                    at += 1
                else:
                    if parts[0] == text or len(text) >= 6:
                        return kind, at
        for parts, kind in single:
            if text.startswith(parts[0]) or len(text) >= 6:
                return kind, index + 1
        return "", index

    def _made(self, first: Token, kind: str, end: int) -> Token:
        token = Token(kind, "", first.start, end, self.text[first.start : end].lower())
        if kind.startswith(("marker:", "maybe:")):
            token.kind, token.val, token.sub = (
                "m",
                kind.split(":")[1],
                "name" if kind[1] == "a" and kind[2] == "r" else "maybe",
            )
            match = _AFTER.match(self.text, end)
            raw = match and (match.group("s1") or match.group("s2"))
            if raw:
                token.sign = sign_value(raw)
            elif match and match.group("minus") and _MINUS_ENDS.match(self.text, match.end()):
                token.sign = "neg"
        return token
