"""Attachments and comments become text: charsets, HTML by table row, RTF, what is refused, and linear time."""

from __future__ import annotations

import base64
import random
import time

import pytest

from mappings.reading.attachments import (
    attachment_text,
    html_text,
    looks_like_html,
    looks_like_rtf,
    rtf_text,
)


def packed(content: str | bytes, encoding: str = "utf-8") -> str:
    raw = content if isinstance(content, bytes) else content.encode(encoding)
    return base64.b64encode(raw).decode()


def html(content: str) -> str:
    return attachment_text("text/html", packed(content)).text


def rtf(content: str) -> str:
    return attachment_text("text/rtf", packed("{\\rtf1\\ansi\\ansicpg1252 " + content + "}")).text


@pytest.mark.parametrize(
    ("content_type", "encoding", "charset"),
    [
        ("text/plain", "utf-8", None),
        ("text/plain; charset=UTF-8", "utf-8", None),
        ("text/plain", "utf-8-sig", None),
        ("text/plain", "utf-16", None),
        ("text/plain", "utf-16-le", None),
        ("text/plain;charset=utf-16be", "utf-16-be", None),
        ("text/plain", "cp1252", None),
        ("text/plain; charset=iso-8859-1", "latin-1", None),
        ("text/plain", "latin-1", "windows-1252"),
        ("text/plain; charset=iso-8859-1", "utf-8", None),  # declared wrongly, as often happens
        ("TEXT/PLAIN", "utf-8", "no-such-charset"),
        ("", "utf-8", None),
    ],
)
def test_plain_text_in_the_usual_charsets(content_type: str, encoding: str, charset: str | None) -> None:
    text = "Rückfall bestätigt: CD19 negative\nCD20 <5 %"
    got = attachment_text(content_type, packed(text, encoding), charset=charset)
    assert (got.text, got.readable, got.reason, got.cut) == (text, True, "", False)


@pytest.mark.parametrize(
    ("content_type", "data", "reason"),
    [
        ("application/pdf", packed("%PDF-1.7"), "PDF is not read"),
        ("text/plain", packed("%PDF-1.7"), "PDF is not read"),
        ("image/png", packed("x"), "an image is not read"),
        ("text/plain", packed(b"\x89PNG\r\n"), "an image is not read"),
        ("application/zip", packed("x"), "content type application/zip is not read"),
        ("application/dicom", packed("x"), "content type application/dicom is not read"),
        ("text/plain", packed(b"PK\x03\x04"), "a packed or office document is not read"),
        ("text/plain", packed(b"\x00\x01\x02\xff"), "binary content is not read"),
        ("text/rtf", packed("no rtf at all"), "labelled RTF but is not RTF"),
        ("text/plain", "QUJ", "broken base64"),
        ("text/plain", "@@@@", "broken base64"),
        ("text/plain", "é", "broken base64"),
        ("text/plain", "", "no data in the attachment"),
        ("text/plain", None, "no data in the attachment"),
        ("text/html", packed("<script>CD19 positive</script>"), "no text in the attachment"),
    ],
)
def test_what_cannot_be_read_says_why(content_type: str, data: str | None, reason: str) -> None:
    got = attachment_text(content_type, data)
    assert (got.text, got.readable, got.reason) == ("", False, reason)


def test_wrong_types_from_a_chart_are_refused_and_not_raised() -> None:
    assert not attachment_text(None, 5).readable  # type: ignore[arg-type]


def test_base64_may_be_wrapped_over_lines() -> None:
    data = packed("CD19 negative. " * 20)
    wrapped = "\r\n".join(data[at : at + 76] for at in range(0, len(data), 76))
    assert attachment_text("text/plain", wrapped).text.startswith("CD19 negative.")


def test_the_real_format_goes_before_the_label() -> None:
    assert attachment_text("text/plain", packed(r"{\rtf1 CD19 \b neg\b0}")).text == "CD19 neg"
    assert (
        attachment_text("text/plain", packed("<html><body><p>CD19 neg</p></body></html>")).text == "CD19 neg"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<table><tr><th>Marker</th><th>Result</th></tr><tr><td>CD19</td><td>negative</td></tr></table>",
         "Marker\tResult\nCD19\tnegative"),
        ("<table><tr><td><p>CD19</p></td><td><p>negative</p></td></tr></table>", "CD19\tnegative"),
        ("<table><tr><td>CD19<br>CD20</td><td>negative<br/>positive</td></tr></table>",
         "CD19\tnegative\nCD20\tpositive"),
        ("<table><tr><td>CD19<br>(clone X)</td><td>negative</td></tr></table>", "CD19 (clone X)\tnegative"),
        ("<table><tr><td rowspan=2>B cells<td>CD19<td>+<tr><td>CD20<td>-</table>",
         "B cells\tCD19\t+\nB cells\tCD20\t-"),
        ("<table><tr><td colspan='2'>CD19</td><td>x</td></tr></table>", "CD19\t\tx"),
        ("<table><tr><td>CD19</td><td></td><td>neg</td></tr></table>", "CD19\t\tneg"),
        ("<table><tr><td><table><tr><td>CD19</td><td>neg</td></tr></table></td></tr></table>", "CD19\tneg"),
        ("<p>CD19 negative</p><p>CD20 positive</p>", "CD19 negative\n\nCD20 positive"),
        ("<ul><li>CD19 negative<li>CD20 positive</ul>", "CD19 negative\nCD20 positive"),
        ("<div>CD19<sup>+</sup> cells</div>", "CD19+ cells"),
        ("CD19 &lt;1&nbsp;% &amp; CD20 &ge;95&#37; &#x2212;", "CD19 <1 % & CD20 ≥95% −"),
        ("<p>CD19 &amp;lt;1 %</p>", "CD19 <1 %"),
        ("<p>CD19 <1 %, CD20 <LOD, ratio >2</p>", "CD19 <1 %, CD20 <LOD, ratio >2"),
        ("<p>a < b</p>", "a < b"),
        ("<style>p{}</style><script>if(a<b){'</p>'}</script><p>CD19</p>", "CD19"),
        ("<!-- CD19 positive --><p>CD19 negative</p>", "CD19 negative"),
        ("<p>CD19 <s>positive</s><del>dim</del> negative</p>", "CD19 negative"),
        ("<p style='display:none'>CD19 positive</p><p>CD19 negative</p>", "CD19 negative"),
        ("<input type=checkbox checked> positive <input type='checkbox'> negative<br>", "[x] positive [ ] negative"),
        ("<p title='a>b'>CD19</p>", "CD19"),
        ("<P CLASS=x>CD19\n\n negative</P>", "CD19 negative"),
        ("<pre>CD19   negative\nCD20   positive</pre>", "CD19   negative\nCD20   positive"),
        ("<b>CD19</b> negative\nCD20 positive", "CD19 negative\nCD20 positive"),
        ("<?xml version='1.0'?><!DOCTYPE html><html><head><title>None</title></head><body>CD19</body></html>", "CD19"),
        ("<o:p>CD19</o:p> <span>neg</span>", "CD19 neg"),
    ],
)  # fmt: skip
def test_html(source: str, text: str) -> None:
    assert html(source) == text


def test_xhtml_is_read_like_html() -> None:
    assert attachment_text("application/xhtml+xml", packed("<div>CD19<br/>neg</div>")).text == "CD19\nneg"


@pytest.mark.parametrize("text", ["CD19 negative\nCD20 <5 %", "a < b > c", "", "CD19 > 5 and < 9", "5 <10"])
def test_a_value_without_tags_comes_back_as_it_was(text: str) -> None:
    assert html_text(text) == text


def test_html_inside_a_value() -> None:
    assert html_text("<p>CD19 &lt;1 %</p>") == "CD19 <1 %"
    assert html_text("CD19 &lt;1 %\nCD20 positive") == "CD19 <1 %\nCD20 positive"
    assert looks_like_html(" <!DOCTYPE html><p>")
    assert not looks_like_html("CD19 <5 %")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"CD19 \b negative\b0\par CD20 positive", "CD19 negative\nCD20 positive"),
        (r"R\'fcckfall best\'e4tigt", "Rückfall bestätigt"),
        (r"CD19\u8722? CD20\u8722\'2d x", "CD19− CD20− x"),
        (r"{\uc0 a\u8211 b}", "a–b"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"{\fonttbl{\f0 Arial;}{\f1 CD19;}}{\colortbl;\red0;}{\stylesheet{\s0 Normal;}}CD19 neg", "CD19 neg"),
        (r"{\*\generator CD19 positive;}{\info{\title CD19 positive}}CD19 neg", "CD19 neg"),
        (r"{\pict\wmetafile8 0102ffCD19}neg", "neg"),
        (r"a\tab b\line c", "a\tb\nc"),
        (r"\trowd\cellx1\cellx2 CD19\cell negative\cell\row\trowd CD20\cell positive\cell\row after",
         "CD19\tnegative\nCD20\tpositive\nafter"),
        (r"\trowd CD20\cell positive\par strong\cell\row", "CD20\tpositive strong"),
        (r"a\cell b\cell\row c\cell d\cell\row end", "a\tb\nc\td\nend"),
        (r"CD19\strike  positive\strike0  negative", "CD19 negative"),
        (r"CD19{\v  positive} negative", "CD19 negative"),
        (r"\{CD19\}\~neg\_ative a\\b", r"{CD19} neg-ative a\b"),
        (r"\bin5 }}}}}CD19", "CD19"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt CD19}} neg", "CD19 neg"),
        (r"CD19 neg}}}} tail", "CD19 neg tail"),
    ],
)  # fmt: skip
def test_rtf(body: str, text: str) -> None:
    assert rtf(body) == text


def test_rtf_code_pages() -> None:
    assert attachment_text("text/rtf", packed(rb"{\rtf1\ansi\ansicpg1250 \'e8}")).text == "č"
    assert attachment_text("application/rtf", packed(rb"{\rtf1\mac \'8a}")).text == "ä"
    assert attachment_text("application/rtf", packed(rb"{\rtf1\ansicpg99999 \'e4}")).text == "ä"


def test_rtf_in_a_comment() -> None:
    comment = r"{\rtf1\ansi CD19 negative\par}"
    assert looks_like_rtf(comment)
    assert rtf_text(comment) == "CD19 negative"
    assert rtf_text("CD19 negative") == "CD19 negative"


def test_text_over_the_cap_is_cut_and_marked() -> None:
    for content_type, unit in (("text/plain", "CD19 é "), ("text/html", "<p>CD19</p> "), ("text/rtf", "")):
        body = unit * 100_000 if unit else "{\\rtf1 " + "CD19 " * 100_000 + "}"
        got = attachment_text(content_type, packed(body))
        assert got.readable
        assert got.cut
        assert len(got.text.encode()) <= 256 * 1024


HOSTILE = [
    ("text/html", "<div>"), ("text/html", "<table><tr><td>"), ("text/html", "<"), ("text/html", "<a \""),
    ("text/html", "<!--"), ("text/html", "<script>"), ("text/html", "<s>"), ("text/html", "&"), ("text/html", "<!x "),
    ("text/html", "<?"), ("text/html", "<tr><td rowspan=200 colspan=20>x"), ("text/html", "<xyzzy a "),
    ("text/html", "</p>"), ("text/html", "<p style='display :"), ("text/html", "&#99999999999;"),
    ("text/rtf", "{"), ("text/rtf", "{\\*"), ("text/rtf", "\\cell "), ("text/rtf", "\\trowd\\row "),
    ("text/rtf", "\\u-1?"), ("text/rtf", "\\'ff"), ("text/rtf", "\\"), ("text/rtf", "}"), ("text/rtf", "\\bin9 "),
]  # fmt: skip


@pytest.mark.parametrize(("content_type", "unit"), HOSTILE)
def test_hostile_markup_takes_linear_time(content_type: str, unit: str) -> None:
    head = "{\\rtf1 " if content_type == "text/rtf" else ""

    def seconds(times: int) -> float:
        data = packed(head + unit * times)
        best = 9.0
        for _ in range(2):
            begun = time.process_time()
            attachment_text(content_type, data)
            best = min(best, time.process_time() - begun)
        return best

    # Eight times the text; quadratic work would be sixty-four times. Other work disturbs one turn, not three.
    assert any(seconds(80_000) <= 24 * seconds(10_000) + 0.05 for _ in range(3))


def test_a_huge_character_number_is_no_error() -> None:
    assert html("<p>a&#" + "9" * 5000 + ";b</p>") == "a\ufffdb"


def test_random_bytes_never_raise() -> None:
    dice = random.Random(11)  # noqa: S311 - a fixed sequence for a test
    pieces = [b"<td", b">", b"</", b"{\\rtf1", b"\\u", b"\\'", b"&#", b";", b"\x00", b"\xff", b"<!--", b"\\bin-5 ", b"\n",
              b"CD19", b"=\"", b"\\uc", b"-99", b"\\ansicpg", b"<s>", b"<table>", b"</table>", b"\\row"]  # fmt: skip
    for _ in range(500):
        raw = b"".join(dice.choice(pieces) for _ in range(dice.randrange(60)))
        for content_type in ("text/plain", "text/html", "text/rtf", "x", ""):
            attachment_text(
                content_type, packed(raw), charset=dice.choice([None, "utf-16", "zip", "idna", "cp1252"])
            )
        html_text(raw.decode("latin-1"))
        rtf_text("{\\rtf" + raw.decode("latin-1"))
