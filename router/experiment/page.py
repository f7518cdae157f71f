"""A report as one HTML page that fetches nothing: style, script, plots and pictures are inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

from visionrouter.schema.errors import ExperimentError

Tone = Literal["good", "bad", "even", "open"]

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b636c;--rule:#d8dde3;--paper:#fff;--card:#f5f7f9;--a:#a8480c;
--b:#0a5cc2;--good:#11713a;--bad:#ad1236;--even:#4a4f9c;--open:#6b5300;--wash:.16}
@media(prefers-color-scheme:dark){:root{--ink:#e7eaee;--soft:#a5adb6;--rule:#3a4048;--paper:#14171b;--card:#1d2126;
--a:#f2a169;--b:#76b4ff;--good:#6fd195;--bad:#ff8ba3;--even:#b3b7ff;--open:#e5c45c;--wash:.24}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main,footer{max-width:64rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}footer{padding-bottom:2rem;color:var(--soft);font-size:.9rem}
.skip{position:absolute;left:-999rem}.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.25rem .5rem}
.verdict{border-left:.4rem solid;padding:.1rem 0 .1rem .9rem;margin:0 0 1rem}
.verdict h1{font-size:1.6rem;line-height:1.25;margin:0}.verdict p{margin:.3rem 0 0;color:var(--ink)}
.good{color:var(--good)}.bad{color:var(--bad)}.even{color:var(--even)}.open{color:var(--open)}
h2{font-size:1.2rem;margin:2rem 0 .5rem}
.notes{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.6rem 1rem .6rem 2rem;margin:1rem 0}
.plots{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));align-items:start}
figure{margin:0;padding:.8rem;background:var(--card);border:1px solid var(--rule);border-radius:.5rem}
figcaption{font-weight:600;margin-bottom:.4rem}svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:13px system-ui,sans-serif}.middle{text-anchor:middle}.end{text-anchor:end}
svg line,polyline{fill:none;stroke-width:2}svg .grid{stroke:var(--rule);stroke-width:1}
svg .zero{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 4}.band{fill:var(--b);fill-opacity:.3;stroke:var(--b)}
.margin{fill:var(--good);fill-opacity:var(--wash)}svg .a{stroke:var(--a)}svg .b{stroke:var(--b)}svg .soft{stroke:var(--soft)}
circle.a{fill:var(--a)}circle.b{fill:var(--b)}circle.soft{fill:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.4rem 0 0;font-size:.9rem;color:var(--soft)}
.legend i{display:inline-block;width:1.2em;margin-right:.4em;vertical-align:middle;border-top:3px solid}
.legend .a{border-color:var(--a)}.legend .b{border-color:var(--b)}
.wide{overflow-x:auto;margin-top:.8rem}.wide:focus-visible{outline:2px solid var(--b)}
table{border-collapse:collapse;width:100%;font-size:.93rem}
caption{text-align:left;color:var(--soft);padding:.2rem 0;font-size:.9rem}
th,td{text-align:left;padding:.35rem .9rem .35rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead th{white-space:nowrap;color:var(--soft);font-weight:600}
th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--b);outline-offset:2px}
th button::after{content:" \\2195";opacity:.5}th[aria-sort=ascending] button::after{content:" \\2191";opacity:1}
th[aria-sort=descending] button::after{content:" \\2193";opacity:1}
.cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));padding:0;margin:0;
list-style:none}
.cards li{border:1px solid var(--rule);border-radius:.5rem;background:var(--card);padding:.8rem;overflow-wrap:anywhere}
.cards .row{grid-column:1/-1}.cards figure{padding:0;border:0;background:none}
.shots{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));margin:.5rem 0}
.cards img{width:100%;height:auto;max-height:28rem;object-fit:contain;object-position:left top;border-radius:.25rem;
display:block;margin-bottom:.4rem}.cards figcaption{font-weight:400;font-size:.9rem;margin:0}
.cards dl{margin:.3rem 0 0;display:grid;grid-template-columns:auto 1fr;gap:.1rem .6rem;font-size:.9rem}
.cards dt{font-weight:600}.cards dd{margin:0}.cards h3{font-size:1rem;margin:0}
.cards dl div{display:contents}.cards .row dl{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem}
.cards .row dl div{display:flex;gap:.4rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media(prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
@media print{th button::after{content:""}}
"""

_SCRIPT = """
for(const table of document.querySelectorAll("table.sorts")){
 const heads=[...table.tHead.rows[0].cells],body=table.tBodies[0],say=document.getElementById("say");
 heads.forEach((head,i)=>head.querySelector("button").addEventListener("click",()=>{
  const up=head.getAttribute("aria-sort")!=="ascending";
  heads.forEach(h=>h.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort",up?"ascending":"descending");
  const key=row=>{const c=row.cells[i],v=c.dataset.v;return v===undefined?c.textContent:v===""?NaN:Number(v)};
  const order=(x,y)=>{const a=key(x),b=key(y);
   if(typeof a==="string")return a.localeCompare(b)*(up?1:-1);
   return isNaN(a)?1:isNaN(b)?-1:(a-b)*(up?1:-1)};
  body.append(...[...body.rows].sort(order));
  say.textContent=`sorted by ${head.textContent}, ${up?"ascending":"descending"}`;
 }));
}
"""


@dataclass(frozen=True, slots=True)
class Number:
    """A cell that is sorted by its value and shown as `text`."""

    value: float | None
    text: str


Cell = str | Number


@dataclass(frozen=True, slots=True)
class Shot:
    """A JPEG, what it shows for those who cannot see it, and the (what, said) beneath it."""

    jpeg: bytes
    alt: str
    caption: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """One example: `shots` side by side, and `facts`, (what, said) lines."""

    title: str
    facts: Sequence[tuple[str, str]]
    shots: Sequence[Shot] = ()


def page(title: str, verdict: str, why: str, tone: Tone, sections: Sequence[str], foot: str) -> str:
    """The whole document, the verdict first."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        '<a class="skip" href="#main">To the figures</a>'
        f'<header><div class="verdict {tone}"><h1>{escape(verdict)}</h1><p>{escape(why)}</p></div></header>'
        f'<main id="main">{"".join(sections)}</main><footer><p>{escape(foot)}</p>'
        '<p id="say" class="hidden" role="status" aria-live="polite"></p></footer>'
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def write_page(path: Path, text: str) -> None:
    """Raises `ExperimentError` where it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExperimentError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from error


def section(heading: str, *inside: str) -> str:
    """A landmark of its own, named by its heading; nothing where there is nothing inside."""
    if not any(inside):
        return ""
    name = "".join(c if c.isalnum() else "-" for c in heading.lower())
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(heading)}</h2>{"".join(inside)}</section>'
    )


def figures(given: Sequence[tuple[str, str]]) -> str:
    """(caption, SVG) pairs side by side where there is room; those without a picture are left out."""
    made = [f"<figure><figcaption>{escape(c)}</figcaption>{svg}</figure>" for c, svg in given if svg]
    return f'<div class="plots">{"".join(made)}</div>' if made else ""


def notes(given: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{escape(n)}</li>" for n in given)}</ul>' if given else ""


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Sortable by every column, by mouse and keyboard. The first cell of a row is its header."""
    if not rows:
        return ""
    numeric = [all(isinstance(row[i], Number) for row in rows) for i in range(len(header))]
    head = "".join(
        f'<th scope="col"{_class(n)}><button type="button">{escape(h)}</button></th>'
        for h, n in zip(header, numeric, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(str(_text(c)))}</th>' if i == 0 and not numeric[0] else _cell(c)
            for i, c in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="sorts">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cards(given: Sequence[Card]) -> str:
    """Examples, with their pictures inside the page; one with several takes a whole row."""
    made = []
    for card in given:
        shots = f'<div class="shots">{"".join(map(_shot, card.shots))}</div>' if card.shots else ""
        facts = "".join(
            f"<div><dt>{escape(what)}</dt><dd>{escape(said)}</dd></div>" for what, said in card.facts
        )
        kind = ' class="row"' if len(card.shots) > 1 else ""
        made.append(f"<li{kind}><h3>{escape(card.title)}</h3>{shots}<dl>{facts}</dl></li>")
    return f'<ul class="cards">{"".join(made)}</ul>' if made else ""


def _shot(shot: Shot) -> str:
    what, said = shot.caption
    inside = base64.b64encode(shot.jpeg).decode("ascii")
    return (
        f'<figure><img alt="{escape(shot.alt)}" src="data:image/jpeg;base64,{inside}">'
        f"<figcaption><b>{escape(what)}</b> {escape(said)}</figcaption></figure>"
    )


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Number) else cell


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    value = "" if cell.value is None else repr(float(cell.value))
    return f'<td class="n" data-v="{value}">{escape(cell.text)}</td>'


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""
