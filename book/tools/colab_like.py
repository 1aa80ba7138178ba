"""Run the notebooks as Colab does: part of `make test-full`.

    python book/tools/colab_like.py [--notebooks 03 04] [--torch 2.13.0] [--python python3.13] [--env DIR]
    python book/tools/colab_like.py --here        inside Colab's own image: its environment, its google.colab

A new environment with Colab's versions, a stub of the module google.colab imported when the kernel starts,
and git sent to a copy of this working tree when it asks for the book's public address. Then every cell of
every notebook, top to bottom, the first one with its `%pip install` included, which must move no version.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from address import Address
from canonical import ROOT, notebooks, read
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

# What Colab has preinstalled (read in its release notes, August 2026), with what ipython 7 needs.
COLAB = {
    "anywidget": "0.9.21",
    "ipykernel": "6.17.1",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "mlxtend": "0.23.4",
    "numpy": "2.1.3",
    "sympy": "1.14.0",
    "torch": "2.11.0",
}
KERNEL = "colab-like"


def published(folder: Path) -> dict[str, str]:
    """Copy the working tree to a repository in `folder`, and return the variables that make git find it.

    Every file that git tracks, or would track, is in it: what is tested is what a push would publish.
    """
    address, copy = Address.configured(), folder / "published"
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q", "-b", address.branch],
        ["add", "-A"],
        [*who, "commit", "-q", "-m", "copy"],
    ):
        subprocess.run(["git", "-C", str(copy), *command], check=True)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{copy.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address.url,
    }


def stubbed(folder: Path, stub: bool = True) -> dict[str, str]:
    """What makes every IPython kernel import google.colab, or a stub of it, at its start."""
    path = folder / "stub"
    path.mkdir()
    if stub:
        output = path / "google" / "colab" / "output.py"
        output.parent.mkdir(parents=True)
        output.with_name("__init__.py").touch()
        output.write_text("def enable_custom_widget_manager():\n    pass\n")
    startup = folder / "ipython" / "profile_default" / "startup" / "00-colab.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("import google.colab\n")
    return {"PYTHONPATH": str(path), "IPYTHONDIR": str(folder / "ipython")}


def environment(folder: Path, python: str, versions: dict[str, str]) -> Path:
    """A virtual environment in `folder` with `versions` and nothing of ours; returns its Python."""
    inside = folder / "bin" / "python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pins = [f"{name}=={version}" for name, version in versions.items()]
    subprocess.run([inside, "-m", "pip", "install", "-q", *pins], check=True)
    return inside


def installed(python: Path) -> dict[str, str]:
    """Package to version in the environment of `python`, ganlib left out."""
    command = [str(python), "-m", "pip", "list", "--format=json"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {p["name"]: p["version"] for p in listed if p["name"] != "ganlib"}


def run(path: Path, variables: dict[str, str], folder: Path) -> None:
    """Execute the notebook at `path` in a kernel of the environment; raises at the first cell that fails."""
    work = folder / "content"
    work.mkdir(exist_ok=True)
    nb = nbformat.from_dict(read(path))
    client = NotebookClient(
        nb,
        timeout=900,
        kernel_name=KERNEL,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(work)}},
    )
    client.execute(env={**os.environ, **variables})


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument(
        "--notebooks", nargs="*", default=[], help="by number or name (all when none is given)"
    )
    parser.add_argument("--torch", help=f"another version than Colab's {COLAB['torch']}")
    parser.add_argument("--python", default=sys.executable, help="the Python to make the environment with")
    parser.add_argument("--env", type=Path, help="keep the environment here, and use it again")
    parser.add_argument("--here", action="store_true", help="run in this environment, which is Colab's own")
    options = parser.parse_args()
    paths = notebooks(options.notebooks)
    if not paths:
        print("There are no notebooks yet.")
        return 0
    versions = {**COLAB, "torch": options.torch or COLAB["torch"]}
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.here:
            python = Path(sys.executable)
            versions = {name: found for name, found in installed(python).items() if name in COLAB}
        else:
            python = environment((options.env or folder / "env").absolute(), options.python, versions)
        variables = {
            **published(folder),
            **stubbed(folder, stub=not options.here),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        spec = folder / "jupyter" / "kernels" / KERNEL / "kernel.json"
        spec.parent.mkdir(parents=True)
        launch = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.write_text(json.dumps({"argv": launch, "display_name": KERNEL, "language": "python"}))
        os.environ["JUPYTER_PATH"] = str(folder / "jupyter")
        before = installed(python)
        print(
            f"Python {subprocess.run([python, '-V'], capture_output=True, text=True).stdout.split()[1]}",
            versions,
        )
        for path in paths:
            # Each notebook meets a machine that has not seen the others.
            subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "ganlib"], check=True)
            start = time.perf_counter()
            try:
                run(path, variables, folder)
                verdict = "every cell ran"
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                failed.append(path.stem)
                verdict = f"FAILED\n{error}"
            print(f"{path.stem:<28} {time.perf_counter() - start:6.1f} s  {verdict}", flush=True)
        after = installed(python)
        moved = {
            name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version
        }
        print("Installing ganlib added:", ", ".join(sorted(after.keys() - before.keys())) or "nothing")
        if moved:
            print("Installing ganlib MOVED what Colab has:", moved)
    return 1 if failed or moved else 0


if __name__ == "__main__":
    sys.exit(main())
