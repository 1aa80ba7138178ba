"""Fetch the third-party browser code that the repository carries, at its exact versions.

Needs ``npm``. The result is committed, so that building the book and testing it need no network::

    python book/tools/vendor.py

MathJax goes to ``book/vendor/mathjax`` (shipped with the book), axe-core to ``tests/site/axe`` (tests only).
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 2_000_000

# package -> (where it goes, {path inside the package: path inside the destination})
PACKAGES = {
    "mathjax@3.2.2": (
        "book/vendor/mathjax",
        {
            "LICENSE": "LICENSE",
            "es5/tex-mml-chtml.js": "tex-mml-chtml.js",
            "es5/input/tex/extensions": "input/tex/extensions",
            "es5/output/chtml/fonts/woff-v2": "output/chtml/fonts/woff-v2",
            "es5/ui/lazy.js": "ui/lazy.js",
        },
    ),
    "axe-core@4.10.3": (
        "tests/site/axe",
        {
            "LICENSE": "LICENSE",
            "LICENSE-3RD-PARTY.txt": "LICENSE-3RD-PARTY.txt",
            "axe.min.js": "axe.min.js",
        },
    ),
}


def fetch(package: str, folder: Path) -> Path:
    """Download one npm package into `folder` and return its unpacked root."""
    packed = subprocess.run(
        ["npm", "pack", package, "--silent"], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def main() -> None:
    for package, (where, wanted) in PACKAGES.items():
        target = ROOT / where
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory() as tmp:
            source = fetch(package, Path(tmp))
            for inside, name in wanted.items():
                destination = target / name
                destination.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (source / inside).is_dir() else shutil.copyfile
                copy(source / inside, destination)
        files = [f for f in target.rglob("*") if f.is_file()]
        large = [f for f in files if f.stat().st_size > MAX_BYTES]
        if large:
            raise SystemExit(f"{large[0]} is over {MAX_BYTES} bytes: choose a smaller build of {package}")
        print(
            f"{package} -> {where}: {len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB"
        )


if __name__ == "__main__":
    main()
