"""Execute the notebooks and store what they show: `make notebooks`.

    python book/tools/execute.py              the stale ones
    python book/tools/execute.py 03 04        of these, the stale ones
    python book/tools/execute.py --force 03   this one, stale or not
    python book/tools/execute.py --check      say which are stale, and exit with 1 if any is

A notebook is stale when its code, what it uses of ganlib, or the lock is not what its outputs were made from.
On one machine and one lock, a second execution writes the same bytes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from canonical import NOTEBOOKS, fingerprint, kernel_environment, notebooks, read, stale, write
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode


def execute(
    nb: NotebookNode, *, timeout: int = 600, keep_going: bool = False, **environment: str
) -> NotebookNode:
    """Run every cell of `nb` in a new kernel and return it with its outputs and the hashes of what made them.

    Args:
        nb: the notebook; it is not changed.
        timeout: seconds that one cell may take.
        keep_going: run the later cells although one raised.
        environment: further variables for the kernel.

    Raises:
        CellExecutionError: a cell raised (unless `keep_going`, or it is tagged `raises-exception`).
        CellTimeoutError: a cell took longer than `timeout`.
    """
    nb = nbformat.from_dict(nb)
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory() as profile:  # nobody's IPython settings
        client = NotebookClient(
            nb,
            timeout=timeout,
            kernel_name="python3",
            allow_errors=keep_going,
            store_widget_state=True,
            record_timing=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(NOTEBOOKS if NOTEBOOKS.is_dir() else Path.cwd())}},
        )
        client.execute(env=kernel_environment(IPYTHONDIR=profile, **environment))
    nb.metadata["ganlib"] = {"made_from": fingerprint(nb)}
    return nb


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("names", nargs="*", help="notebooks, by number or name (all when none is given)")
    parser.add_argument("--force", action="store_true", help="execute although nothing has changed")
    parser.add_argument("--check", action="store_true", help="execute nothing, say which are stale")
    options = parser.parse_args()

    paths, bad = notebooks(options.names), 0
    if not paths:
        print("There are no notebooks yet: notebooks/NN_topic.ipynb.")
    for path in paths:
        nb = read(path)
        why = stale(nb)
        if options.check:
            bad += bool(why)
            print(f"{path.stem:<28} {'stale: ' + ', '.join(why) if why else 'up to date'}")
        elif not why and not options.force:
            print(f"{path.stem:<28} up to date")
        else:
            print(f"{path.stem:<28} ", end="", flush=True)
            start = time.perf_counter()
            try:
                write(path, execute(nb))
                print(f"{time.perf_counter() - start:6.1f} s")
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                bad += 1
                print(f"failed, and is left as it was\n{error}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
