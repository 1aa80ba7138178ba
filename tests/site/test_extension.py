"""The book's Sphinx extension on a small project of its own."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

CHAPTER = r"""# The optimum

> **Theorem 3.1 (The optimal $D^*$).** For fixed $G$
>
> $$D^*(x) = \frac{p(x)}{p(x) + m(x)} \tag{3.1}$$
>
> maximises $V$.

> **Proof.** By (3.1).

> A quotation.

`Theorem 3.7` is code. Theorem 2.1 of Arjovsky, Theorem 2.2 of the paper,
its Theorem 2.4 and Arjovsky's Theorem 2.5 are theirs.
"""
OTHER = r"""# Other

Theorems 3.1 and 3.2 give (3.1); so does Theorem 3.1 in [a paper](https://arxiv.org/abs/1406.2661v1).
See chapter 3 and chapter 9.

> **Theorem 3.2 (Another).** Text.
"""
BIB = r"""
@inproceedings{goodfellow2014, author = {Goodfellow, Ian J. and L{\'e}on, Ana and Mirza, Mehdi},
  title = {Generative {A}dversarial Nets}, booktitle = {Advances}, year = {2014}, eprint = {1406.2661},
  url = {https://arxiv.org/abs/1406.2661}}
"""
LINE = (
    r"$$\begin{array}{l} \left[\begin{matrix}0 & 1\\1 & 0\end{matrix}\right] = A \\ "
    r"\small \text{gap } = g(t) \\ \small \blacksquare\ \text{proved: by (3.1) and the} \\ "
    r"\small \phantom{\blacksquare}\ \text{rest of it} "
    r"\\ \small \phantom{\blacksquare}\ \text{- bounded: by $\log 2$} \end{array}\tag{3.2}$$"
)


def notebook(*outputs: str) -> str:
    data = [{"text/latex": output, "text/plain": "x"} for output in outputs]
    shown = [{"output_type": "display_data", "metadata": {}, "data": d} for d in data]
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "source": "chain"}
    cell["outputs"] = shown
    head = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": "# Derived\n\nSee (3.2)."}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": [head, cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


class Project:
    """A small book: write pages, build, read what came out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("index", "# Index\n\n```{toctree}\n:glob:\n\n*\nnotebooks/*\n```\n")
        self.write("references", "# References\n\n```{bibliography}\n```\n")
        (root / "references.bib").write_text(BIB, encoding="utf-8")
        self.write("notebooks/03_optimum", CHAPTER)
        self.write("other", OTHER)

    def write(self, name: str, text: str, suffix: str = ".md") -> None:
        path = self.root / (name + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def build(self, fresh: bool = False) -> str:
        """Build; return the warnings."""
        warnings = io.StringIO()
        with patch_docutils(), docutils_namespace():
            self.app(warnings, fresh).build()
        return re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())

    def app(self, warnings: io.StringIO, fresh: bool) -> Sphinx:
        return Sphinx(
            self.root,
            None,
            self.root / "_out",
            self.root / "_trees",
            "html",
            freshenv=fresh,
            status=io.StringIO(),
            warning=warnings,
            confoverrides={
                "extensions": ["myst_nb", "gll"],
                "html_theme": "basic",
                "nb_execution_mode": "off",
                "nitpicky": True,
                "myst_enable_extensions": ["dollarmath"],
                "myst_dmath_double_inline": True,
                "exclude_patterns": ["_*"],
                "gll_bibliography": "references.bib",
            },
        )

    def page(self, name: str) -> str:
        return (self.root / "_out" / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_block_quotes_become_boxes_with_anchors(project: Project) -> None:
    assert project.build() == ""
    html = project.page("notebooks/03_optimum")
    assert '<div class="gll-box gll-theorem gll-target" id="theorem-3-1">' in html
    assert re.search(r'<div class="gll-box gll-proof">\s*<p><strong class="gll-title">Proof\.', html)
    assert re.search(r"<blockquote>\s*<div><p>A quotation", html)
    assert re.search(r'id="eq-3-1">\s*\\\[D\^\*\(x\)', html)


def test_references_become_links_across_pages(project: Project) -> None:
    project.build()
    html = project.page("other")
    assert re.search(r'href="notebooks/03_optimum\.html#theorem-3-1"[^>]*><span>Theorems 3\.1</span>', html)
    assert re.search(r'href="#theorem-3-2"[^>]*><span>3\.2</span>', html)
    assert re.search(r'href="notebooks/03_optimum\.html#eq-3-1"[^>]*><span>\(3\.1\)</span>', html)
    assert re.search(r'href="notebooks/03_optimum\.html"[^>]*><span>chapter 3</span>', html)
    assert "and chapter 9" in re.sub(r"<[^>]+>", "", html)


def test_code_and_other_peoples_theorems_stay_text(project: Project) -> None:
    assert project.build() == ""
    html = project.page("notebooks/03_optimum")
    assert "Theorem 2.1 of Arjovsky" in html
    assert "theorem-3-7" not in html


def test_chapter_number_stands_before_its_title(project: Project) -> None:
    project.build()
    assert '<span class="gll-number">3\u2002</span>The optimum' in project.page("notebooks/03_optimum")
    assert "3\u2002The optimum" in re.sub(r"<[^>]+>", "", project.page("index"))


def test_papers_lead_to_the_bibliography_and_back(project: Project) -> None:
    project.build()
    link = r'href="references\.html#ref-goodfellow2014"[^>]*><span class="gll-cite">a paper'
    assert re.search(link, project.page("other"))
    html = project.page("references")
    assert "Goodfellow, I. J., Léon, A. and Mirza, M. (2014). <em>Generative Adversarial Nets</em>" in html
    assert 'href="https://arxiv.org/abs/1406.2661">arXiv:1406.2661</a>' in html
    assert re.search(r'Cited in <a[^>]*href="other\.html"', html)


def test_citation_role(project: Project) -> None:
    project.write("cites", "# Cites\n\nSee {cite}`goodfellow2014`.")
    assert project.build() == ""
    assert "<span>Goodfellow et al. (2014)</span>" in project.page("cites")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("By Theorem 3.9.", "unresolved reference: Theorem 3.9"),
        ("By Theorems 3.1 and 3.8.", "unresolved reference: Theorem 3.8"),
        ("By (3.9).", "unresolved reference: (3.9)"),
        ("[p](https://arxiv.org/abs/9999.99999)", "arxiv:9999.99999: link to a paper that is not in"),
        ("{cite}`nobody`", "nobody: no such key in the bibliography"),
        ("> **Theorem 3.1 (Again).** Text.", "duplicate number: Theorem 3.1"),
        ("> **Theorem (No number).** Text.", "Theorem without a number"),
        ("> **Lemma 5.2.** a\n\n> **Lemma 5.1.** b", "numbers out of order: Lemma 5.1 comes after 5.2"),
    ],
)
def test_faults_are_warnings(project: Project, text: str, warning: str) -> None:
    project.write("faulty", f"# Faulty\n\n{text}\n")
    assert warning in project.build()


def test_number_of_another_chapter_is_a_warning(project: Project) -> None:
    project.write("notebooks/04_next", "# Next\n\n> **Theorem 3.9 (Lost).** Text.\n")
    assert "Theorem 3.9 stands in chapter 4" in project.build()


def test_rebuild_purges_and_rewrites(project: Project) -> None:
    """A label that vanishes is reported from the page that refers to it, which did not change."""
    assert project.build() == ""
    project.write("notebooks/03_optimum", CHAPTER.replace("Theorem 3.1", "Theorem 3.4"))
    assert "other.md" in (warnings := project.build())
    assert "unresolved reference: Theorem 3.1" in warnings
    project.write("notebooks/03_optimum", CHAPTER)
    assert project.build() == ""
    assert "03_optimum.html#theorem-3-1" in project.page("other")


def test_a_theorem_may_move_to_another_page(project: Project) -> None:
    project.write("other", OTHER.split(">")[0])
    project.write("third", "# Third\n\n> **Theorem 3.2 (Another).** Text.\n")
    assert project.build() == ""
    project.write("third", "# Third\n\nNothing.\n")
    project.write("fourth", "# Fourth\n\n> **Theorem 3.2 (Another).** Text.\n")
    assert project.build() == ""
    assert 'href="fourth.html#theorem-3-2"' in project.page("other")


def test_lines_of_a_derivation(project: Project) -> None:
    project.write("notebooks/03_optimum", notebook(LINE, r"$$x = \frac{1}{2}\tag{3.3}$$"), ".ipynb")
    (project.root / "notebooks" / "03_optimum.md").unlink()
    project.write("other", "# Other\n\nBy (3.2) and (3.3).\n")
    assert "3.1" in project.build()  # the reason refers to an equation that this notebook lacks
    html = project.page("notebooks/03_optimum")
    assert '<div class="gll-line gll-proved">' in html
    assert re.search(r'id="eq-3-2">\s*\\\[.*\\begin\{matrix\}0 &amp; 1\\\\1', html)
    assert r"\begin{split}" not in html
    assert re.search(
        r'<span class="gll-mark">proved</span>\s+by .*\(3\.1\).* and the rest of it</p>', html, re.S
    )
    assert re.search(r"<li><p>bounded: by <span class=\"math[^>]*>\\\(\\log 2\\\)</span></p>", html)
    assert 'id="eq-3-3"' in html
    assert 'href="notebooks/03_optimum.html#eq-3-2"' in project.page("other")


def test_a_display_inside_a_paragraph_parts_it(project: Project) -> None:
    project.write("inline", "# Inline\n\nbefore $$x = 1$$ after\n")
    project.build()
    assert re.search(r"<p>before\s*</p>\s*<div class=\"math", project.page("inline"))


def test_a_formula_keeps_its_comma(project: Project) -> None:
    project.write("comma", "# Comma\n\nLet $x$, and $y$ too.\n")
    assert project.build() == ""
    html = project.page("comma")
    assert re.search(r'<span class="gll-together"><span class="math[^>]*>\\\(x\\\)</span>,</span> and', html)
    assert html.count("gll-together") == 1


def test_verdict_marks(project: Project) -> None:
    project.write("marks", "# Marks\n\n{mark}`checked numerically`\n")
    assert project.build() == ""
    assert '<span class="gll-mark gll-checked">checked numerically</span>' in project.page("marks")
    project.write("marks", "# Marks\n\n{mark}`certain`\n")
    assert "'certain' is not a verdict" in project.build()


def test_entry_without_a_year_is_refused(project: Project) -> None:
    from sphinx.errors import ExtensionError

    (project.root / "references.bib").write_text("@misc{x, author={A, B}, title={T}}", encoding="utf-8")
    with pytest.raises(ExtensionError, match="x has no year"):
        project.build()


LIVE = """# Live

```{explore} DiracGame
:name: fig-live
:caption: A game, see (3.1).

{"eta": 0.25}
```
"""


def test_a_live_figure_on_a_page_of_prose(project: Project) -> None:
    project.write("live", LIVE)
    assert project.build() == ""
    page = project.page("live")
    state = json.loads(re.search(r'widget-state\+json">(.*?)</script>', page, re.DOTALL)[1])["state"]
    ((key, model),) = state.items()
    assert (model["state"]["_module"], model["state"]["eta"]) == ("game", 0.25)
    assert f'"model_id": "{key}"' in page
    assert re.findall('data-explore="(.+?)"', page) == ["kit", "game"]
    assert page.count("explore-loader.js") == 1
    assert re.search(
        r'<img src="data:image/png;base64,[^"]+" alt="Left: 100 simultaneous steps of 0.25', page
    )
    assert 'id="fig-live"' in page
    body = page[page.index("<h1>") :]
    project.build(fresh=True)
    assert body in project.page("live"), "the same page twice"
    assert "explore-loader.js" not in project.page("other")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("DiracGame\n\n{'eta': 0.25}", "cannot be made"),
        ('DiracGame\n\n{"eta": 25}', "eta"),
        ("Dirac", "its figures are"),
    ],
)
def test_a_live_figure_that_cannot_be_made_is_a_warning(project: Project, call: str, message: str) -> None:
    project.write("live", f"# Live\n\n```{{explore}} {call}\n```\n")
    assert message in project.build()


def test_a_shared_link_has_a_card(project: Project) -> None:
    from gll import cards

    promises = "After this chapter you can\n\n- say why one line decides;\n- prove $x$."
    chapter = f'# A "claim"\n\n{promises}\n\nMore text.\n'
    project.write("chapter", chapter)
    assert project.build() == ""
    assert "og:title" not in project.page("chapter"), "a card needs a public address"
    app = project.app(io.StringIO(), fresh=False)
    app.config.html_theme_options = {"repository_url": "https://github.com/Owner/book"}
    context = {"title": "A &quot;claim&quot;"}
    cards.add_card(app, "chapter", "page.html", context, app.env.get_doctree("chapter"))
    assert 'property="og:url" content="https://owner.github.io/book/chapter.html"' in context["metatags"]
    promised = "After this chapter you can say why one line decides;"
    assert f'name="description" content="{promised}"' in context["metatags"]
    assert context["metatags"].count("<meta") == 9


def test_every_page_has_a_card(site: Path) -> None:
    for page in [*site.glob("notebooks/*.html"), *site.glob("book/*.html")]:
        text = page.read_text(encoding="utf-8")
        assert 'property="og:image" content="https://' in text, page.name
        assert 'content="Project name' not in text
    assert (site / "_static" / "screenshot.png").is_file()
