"""Write the public address of the book into everything that repeats it: `make address`.

The address stands in _config.yml (repository.url, repository.branch, html.baseurl). This rewrites the
notebooks' first cells and Colab links, and the links in README.md, CITATION.cff, CONTRIBUTING.md,
pyproject.toml and the pages of the book. `--check` writes nothing and names the files that disagree.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from canonical import ROOT, dumps, read, write
from nbformat import NotebookNode

FIRST_CELL = """\
import os, sys
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads sleep instead of spinning
if "google.colab" in sys.modules:
    %pip install -q "ganlib @ git+{url}@{branch}"
"""

# Words, not Colab's picture: the pages of the book request nothing from outside.
COLAB_LINK = re.compile(r"\[Open in Colab\]\([^)]*\)")
_COLAB = re.compile(r"https://colab\.research\.google\.com/github/[^\s)\"']+?/blob/[^\s)\"']+?/(notebooks/)")


@dataclass(frozen=True)
class Address:
    """Where the book is public: the `url` of the repository, its `branch`, and the `site` of the pages."""

    url: str
    branch: str
    site: str

    @classmethod
    def configured(cls, root: Path = ROOT) -> "Address":
        """The address that _config.yml states."""
        config = yaml.safe_load((root / "_config.yml").read_text())
        url = config["repository"]["url"].rstrip("/")
        owner, name = url.split("/")[-2:]
        site = config.get("html", {}).get("baseurl") or f"https://{owner.lower()}.github.io/{name}"
        return cls(url, config["repository"]["branch"], site.rstrip("/"))

    @classmethod
    def written(cls, root: Path = ROOT) -> "Address":
        """The address that CITATION.cff holds, which is the one this tool wrote last."""
        citation = yaml.safe_load((root / "CITATION.cff").read_text())
        return cls(citation["repository-code"].rstrip("/"), "", citation["url"].rstrip("/"))

    @property
    def first_cell(self) -> str:
        return FIRST_CELL.format(url=self.url, branch=self.branch).rstrip("\n")

    @property
    def colab(self) -> str:
        """What stands before notebooks/NN_topic.ipynb in a link that opens it on Colab."""
        slug = "/".join(self.url.split("/")[-2:])
        return f"https://colab.research.google.com/github/{slug}/blob/{self.branch}/"

    def link(self, name: str) -> str:
        return f"[Open in Colab]({self.colab}notebooks/{name}.ipynb)"

    def rewrite(self, text: str, old: "Address") -> str:
        """`text` with this address in place of `old`, or of any other owner's copy of the same repository."""
        names = sorted({re.escape(a.url.split("/")[-1]) for a in (self, old)})
        text = _COLAB.sub(lambda found: self.colab + found[1], text)
        for name in names:
            end = r"(?![\w-])"
            repository = rf"https://github\.com/[\w.-]+/{name}{end}"
            text = re.sub(rf"{repository}/(blob|tree|raw)/[\w.-]+", rf"{self.url}/\1/{self.branch}", text)
            text = re.sub(repository, self.url, text)
            text = re.sub(rf"https://[\w-]+\.github\.io/{name}{end}", self.site, text)
        return text.replace(old.site, self.site)


def dress(nb: NotebookNode, name: str, address: Address, old: Address) -> NotebookNode:
    """Put the first cell and the Colab link into `nb`, and mend its links; the outputs stay."""
    first = next((cell for cell in nb.cells if cell.cell_type == "code"), None)
    if first is not None and "google.colab" in first.source:
        first.source = address.first_cell
        first.metadata["tags"] = ["remove-cell"]  # the book does not show it: it acts on Colab alone
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = address.rewrite(cell.source, old)
    title = nb.cells[0]
    if title.cell_type == "markdown" and not COLAB_LINK.search(title.source):
        head, _, rest = title.source.partition("\n")
        title.source = f"{head}\n\n{address.link(name)}\n{rest}".rstrip("\n")
    elif title.cell_type == "markdown":
        title.source = COLAB_LINK.sub(lambda _: address.link(name), title.source)
    return nb


def pages(root: Path = ROOT) -> list[Path]:
    """The text files, besides notebooks, that repeat the address."""
    top = [root / name for name in ("README.md", "CITATION.cff", "CONTRIBUTING.md", "pyproject.toml")]
    return [p for p in [*top, *sorted((root / "book").glob("*.md"))] if p.is_file()]


def disagreeing(root: Path = ROOT, *, mend: bool = False) -> list[Path]:
    """The files that do not hold the address of _config.yml; with `mend` they are rewritten."""
    address, old, found = Address.configured(root), Address.written(root), []
    for path in pages(root):
        before = path.read_text(encoding="utf-8")
        after = address.rewrite(before, old)
        if after != before:
            found.append(path)
            if mend:
                path.write_text(after, encoding="utf-8")
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        nb = dress(read(path), path.stem, address, old)
        if dumps(nb, path.stem) != dumps(read(path), path.stem):
            found.append(path)
            if mend:
                write(path, nb)
    return found


def main() -> int:
    check = "--check" in sys.argv[1:]
    found = disagreeing(mend=not check)
    for path in found:
        verb = "differs from" if check else "now holds"
        print(f"{path.relative_to(ROOT)}: {verb} the address in _config.yml")
    if not found:
        print("Every file holds the address in _config.yml.")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
