"""Route real photos with the embedded `nano` profile and show what the router made of each.

    python examples/demo.py --out demo_output

Prints a table (instruction, route, verdict, answer), and writes an overlay and a side-by-side of every request, and a
contact sheet of them all, into the folder.
"""

from __future__ import annotations

import argparse
import textwrap
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from visionrouter import Result, Router
from visionrouter.describe import describe, route_line, why_not
from visionrouter.render import side_by_side

PHOTOS = Path(__file__).parent / "photos"

REQUESTS = (
    ("astronaut.jpg", "find every person"),
    ("astronaut.jpg", "draw the pose of each person"),
    ("chelsea.jpg", "segment the cat"),
    ("coffee.jpg", "what is this?"),
    ("flower.jpg", "what is this?"),
    ("china.jpg", "make a depth map"),
    ("china.jpg", "segment sky in blue, trees in green, buildings in orange"),
    ("astronaut.jpg", "how far is each person?"),
    ("astronaut.jpg", "pixelate every person"),
    ("street.png", "make a depth map"),
    ("street.png", "surface normals"),
    ("street.png", "segment sky in blue, road in gray, trees in green, buildings in orange, cars in red"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for the pictures")
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--policy", default="default")
    given = parser.parse_args()
    started_s = time.perf_counter()
    given.out.mkdir(parents=True, exist_ok=True)
    overlays, titles = [], []
    with Router.from_profile(given.profile, given.policy) as router:
        print(f"profile {given.profile}, policy {given.policy}; no network, no download\n")
        for number, (name, words) in enumerate(REQUESTS, start=1):
            result = router.run(PHOTOS / name, words)
            _print_row(number, name, words, result)
            stem = f"{number:02d}_{Path(name).stem}"
            overlay = result.overlay(PHOTOS / name)
            Image.fromarray(overlay).save(given.out / f"{stem}_overlay.png")
            Image.fromarray(side_by_side(PHOTOS / name, result)).save(given.out / f"{stem}_side_by_side.png")
            overlays.append(overlay)
            titles.append(f"{words}: {result.outcome.replace('_', ' ')}")
    _contact_sheet(overlays, titles).save(given.out / "contact_sheet.png")
    print(
        f"{len(REQUESTS)} requests in {time.perf_counter() - started_s:.1f} s; pictures are in {given.out}/"
    )
    print(f"start with {given.out / 'contact_sheet.png'}")


def _contact_sheet(pictures: list[NDArray[np.uint8]], titles: list[str], columns: int = 4) -> Image.Image:
    """The pictures in a grid of cells of one size, each above its title."""
    width, height, line = 400, 300, 28
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + 8) + 8, rows * (height + line + 8) + 8), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for i, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        x, y = 8 + i % columns * (width + 8), 8 + i // columns * (height + line + 8)
        fitted = ImageOps.pad(Image.fromarray(picture), (width, height), color="#e8e8e8")
        sheet.paste(fitted, (x, y))
        draw.text((x, y + height + 4), textwrap.shorten(title, 50, placeholder="..."), "black", font)
    return sheet


def _print_row(number: int, name: str, words: str, result: Result) -> None:
    print(f"{number:2}. {name}: “{words}”")
    rows = [
        ("route", route_line(result.decision)),
        ("verdict", f"{result.outcome.replace('_', ' ')}, {result.decision.elapsed_ms:.0f} ms"),
        ("answer", describe(result.payload)),
    ]
    if why := why_not(result):
        rows.append(("not vouched for" if result.answered else "why", why))
    for head, text in rows:
        print(textwrap.fill(f"{head:>15}  {text}", 118, initial_indent="    ", subsequent_indent=" " * 21))
    print()


if __name__ == "__main__":
    main()
