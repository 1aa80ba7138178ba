"""The picture of the landing page: digits of chapter 15, taken from its stored output.

    python book/tools/landing.py     writes book/_static/samples.png

The notebook trains the generator and draws the grid; run this after `make notebooks` has executed it. On one
machine and one lock the same notebook gives the same bytes.
"""

import base64
import io
from pathlib import Path

from canonical import ROOT, notebooks, read
from PIL import Image

FIGURE = "fig-conditional-grid"
TARGET = ROOT / "book" / "_static" / "samples.png"
MAX_BYTES = 80_000
GREYS = 16


def stored_picture(notebook: Path, figure: str) -> bytes:
    """The PNG that a notebook's cell with this figure name shows.

    Raises:
        SystemExit: there is no such cell, or it was not executed.
    """
    for cell in read(notebook).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure:
            for output in cell.outputs:
                if png := output.get("data", {}).get("image/png"):
                    return base64.b64decode(png)
    raise SystemExit(f"{notebook.name} stores no picture {figure}: run make notebooks first.")


def main() -> None:
    (notebook,) = notebooks(["15"])
    picture = Image.open(io.BytesIO(stored_picture(notebook, FIGURE))).convert("L").quantize(GREYS)
    picture.save(TARGET, optimize=True)
    if (size := TARGET.stat().st_size) > MAX_BYTES:
        raise SystemExit(
            f"{TARGET.name} has {size:,} bytes, expected at most {MAX_BYTES:,}: use fewer GREYS."
        )
    print(f"{TARGET.relative_to(ROOT)}: {picture.width} x {picture.height} pixels, {size:,} bytes")


if __name__ == "__main__":
    main()
