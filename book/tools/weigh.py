"""What pages of the built book weigh: `python book/tools/weigh.py --before OLD/_build/html`.

Opens pages from the disk in headless Chromium and counts the bytes of every file that they ask for, those of
our own scripts, and the time until the page is ready. Stores a table; a second folder gives "before".
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import statistics
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "the first page": "book/index",
    "a page of prose": "book/notation",
    "chapter 3, one figure": "notebooks/03_optimal_discriminator",
    "chapter 6, one figure": "notebooks/06_vanishing_gradients",
    "chapter 15, with the generator": "notebooks/15_conditional",
    "the playground": "book/playground",
    "the generator's page": "book/generator",
}
PACKED = {".css", ".html", ".js", ".svg"}
OURS = re.compile(r"explore-loader|gll\.js")
READY = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def weigh(browser, path: Path, rounds: int = 3) -> dict[str, float]:
    """Kilobytes and milliseconds of one page; the time is the median of some visits."""
    times, files = [], {}
    for _ in range(rounds):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: files.setdefault(request.url, None))
        page.goto(path.as_uri())
        times.append(page.evaluate(READY))
        page.wait_for_timeout(2_000)
        page.close()
    sizes = {
        file: file.stat().st_size
        for url in files
        if (file := Path(unquote(urlsplit(url).path))).is_file() and url.startswith("file:")
    }
    inside = re.findall(r"<script[^>]*data-explore[^>]*>(.*?)</script>", path.read_text("utf-8"), re.DOTALL)
    ours = sum(map(len, inside)) + sum(size for file, size in sizes.items() if OURS.search(file.name))
    sent = sum(
        len(gzip.compress(file.read_bytes(), 6)) if file.suffix in PACKED else size
        for file, size in sizes.items()
    )
    return {
        "kB": sum(sizes.values()) / 1e3,
        "sent": sent / 1e3,
        "ours": ours / 1e3,
        "ms": statistics.median(times),
    }


def table(after: Path, before: Path | None) -> dict:
    """A row for each page."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("no Chromium found: install it, for example with apt install chromium")
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for name, page in PAGES.items():
            new, old = (
                weigh(browser, path) if folder and (path := folder / f"{page}.html").is_file() else None
                for folder in (after, before)
            )
            if new is None:
                raise SystemExit(f"{after} has no {page}.html: run make book")
            row = {"page": name, "before, kB": round(old["kB"]) if old else "–", "now, kB": round(new["kB"])}
            row |= {"compressed, kB": round(new["sent"]), "our scripts and weights, kB": round(new["ours"])}
            rows.append(row | {"ready, ms": round(new["ms"])})
        browser.close()
    return {
        "title": "What pages weigh, from the disk",
        "columns": list(rows[0]),
        "rows": rows,
        "note": "Everything that a page asks for, MathJax and fonts included: as it lies on the disk, and "
        "with its text compressed as a server would send it. A page without formulas asks for no MathJax. "
        "Ready: the median of three visits in headless Chromium. Before: the book with one live figure and "
        "the theme's icon script; a dash is a page that it did not have.",
        "provenance": {"command": "python book/tools/weigh.py --before OLD/_build/html"}
        | ({"OLD at": _commit(before)} if before else {}),
    }


def _commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Weigh and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="the folder of an older build")
    options = parser.parse_args()
    found = table(ROOT / "_build" / "html", options.before)
    path = ROOT / "book" / "results" / "pages.json"
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for row in found["rows"]:
        print(row)


if __name__ == "__main__":
    main()
