"""One setup step before the tests: the embedded models, chromium and PostgreSQL.

Everything after it runs with sockets to anything but loopback closed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> int:
    missing = []
    if not shutil.which("chromium"):
        missing.append("chromium")
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing.append("postgresql")
    if missing:
        install(missing)
    subprocess.run([sys.executable, "-m", "assay.app.cli.main", "models", "pull"], check=True)
    return 0


def install(packages: list[str]) -> None:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"Not installed: {', '.join(packages)}. Tests that need them are skipped, saying so.", file=sys.stderr)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    sys.exit(main())
