"""Write the versions installed in this environment to .ci/requirements.lock: `make lock`."""

import subprocess
import sys

from canonical import LOCK

HEAD = (
    "# The versions continuous integration installs, on Python 3.11, 3.12 and 3.13. Written by: make lock\n"
)


def main() -> None:
    freeze = [sys.executable, "-m", "pip", "freeze", "--exclude-editable", "--disable-pip-version-check"]
    lines = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.splitlines()
    # A local label such as +cpu names a build, not a version, and other machines have other builds.
    LOCK.write_text(HEAD + "".join(line.split("+")[0] + "\n" for line in lines if "==" in line))
    print(f"{LOCK.name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
