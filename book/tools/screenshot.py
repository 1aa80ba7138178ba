"""Photograph the built book for the README: `make screenshot`.

    python book/tools/screenshot.py [page] [--width 1280] [--height 800] [--dark] [--to FILE] [--at SELECTOR]

Needs Chromium (CHROMIUM=/path/to/it when it is not on the PATH) and a built book.
"""

import argparse
import os
import shutil
from pathlib import Path

from canonical import ROOT
from playwright.sync_api import sync_playwright

BUILT = ROOT / "_build" / "html"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def chromium() -> str | None:
    """The path of a Chromium or Chrome on this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("page", nargs="?", default="book/index.html", help="page below _build/html")
    parser.add_argument("--to", type=Path, default=ROOT / "book" / "_static" / "screenshot.png")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--at", help="CSS selector to scroll to")
    options = parser.parse_args()
    page = BUILT / options.page
    if not page.exists():
        raise SystemExit(f"{page} does not exist: run make book first, or name another page.")
    browser = chromium()
    if not browser:
        raise SystemExit("No Chromium was found: install it, or set CHROMIUM to its path.")
    with sync_playwright() as play:
        window = play.chromium.launch(executable_path=browser, args=FLAGS)
        tab = window.new_page(
            viewport={"width": options.width, "height": options.height},
            color_scheme="dark" if options.dark else "light",
        )
        tab.goto(page.as_uri())
        tab.wait_for_load_state("networkidle")
        tab.wait_for_timeout(1500)  # MathJax typesets after load
        if options.at:
            tab.locator(options.at).first.scroll_into_view_if_needed()
        tab.screenshot(path=options.to)
        window.close()
    print(options.to)


if __name__ == "__main__":
    main()
