"""``python -m local``: the whole application on this machine, against real PostgreSQL servers and an AWS emulator."""

from __future__ import annotations

import argparse
import difflib
import signal
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from local import check, decommission, verify
from local.host import REGION, LocalError
from local.postgres.binaries import ServerError
from local.postgres.psqlfile import LoadError

EPILOG = """
examples:
  python -m local demo                release a database under write load; asks before writes are frozen
  python -m local up --load shop.sql  keep everything running, to drive it with the AWS CLI and psql
  python -m local verify DSN DSN      compare all rows of any two databases
  python -m local check DSN           find what would stop a release of a database
  python -m local decommission URL ID end the blue of a release that is complete
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    version = argparse.ArgumentParser(add_help=False)
    version.add_argument(
        "--blue-version", type=int, default=16, choices=(15, 16, 18), help="PostgreSQL of blue (default: %(default)s)"
    )
    version.add_argument(
        "--green-version", type=int, choices=(16, 18), help="PostgreSQL that green is upgraded to (default: blue's)"
    )

    watch = commands.add_parser(
        "demo",
        parents=[version],
        help="watch a release of a sample database under write load",
        description="Releases two sample databases of a global database with two Regions while eight clients write to "
        "them: green is upgraded, and gets an index and a column. Then every row and sequence is checked, and blue is "
        "ended. Exit status 0 only if nothing was lost, doubled or handed out twice.",
    )
    watch.add_argument("--yes", action="store_true", help="approve without asking")
    watch.add_argument("--rehearse", action="store_true", help="rehearse it first")
    watch.add_argument(
        "--changes",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="SQL files that change green's database app (default: a sample with an index and a column)",
    )
    watch.add_argument(
        "--secondary-region", metavar="REGION", help="where blue has a secondary cluster (default: eu-west-1)"
    )
    watch.add_argument(
        "--plain",
        action="store_true",
        help="one Region, blue's version, no changes, and blue is kept, but for what other options ask for",
    )
    watch.add_argument(
        "--output", type=Path, default=Path("build/demo"), help="folder of the report (default: %(default)s)"
    )

    up = commands.add_parser(
        "up",
        parents=[version],
        help="start everything, print how to reach it, and wait",
        description="Starts production (blue), the AWS emulator with the deployed stack, and DNS. When all is ready, "
        "prints one line of JSON on standard output that says where everything is, and runs until it is interrupted.",
    )
    up.add_argument(
        "--databases",
        type=_names,
        default=("app", "crm"),
        metavar="NAME,…",
        help="databases of blue, all released (default: app,crm)",
    )
    up.add_argument(
        "--load", type=Path, action="append", default=[], metavar="FILE", help="an SQL file to load, as psql does"
    )
    up.add_argument("--into", metavar="NAME", help="the database to load into (default: the first)")
    up.add_argument("--port", type=_port, default=0, help="port of the AWS endpoint (default: a free one)")
    up.add_argument(
        "--secondary-region",
        default="",
        metavar="REGION",
        help="make blue a global database, with a secondary cluster in this Region",
    )
    verify.add_command(commands)
    check.add_command(commands)
    decommission.add_command(commands)
    return root


RESERVED = frozenset({"postgres", "rdsadmin", "template0", "template1"})


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("expected a port from 1 to 65535, or 0 for a free one")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(0 < len(name.encode()) < 64 for name in names) or len(set(names)) != len(names):
        raise argparse.ArgumentTypeError("expected different names with commas between them, such as app,crm")
    if taken := RESERVED.intersection(names):
        raise argparse.ArgumentTypeError(f"the server itself has a database {min(taken)}: choose another name")
    return names


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(stderr=options.command in ("up", "verify"), highlight=False, emoji=False)
    try:
        if options.command == "verify":
            return verify.verify(console, options)
        if options.command == "check":
            return check.check(console, options)
        if options.command == "decommission":
            return decommission.decommission(console, options)
        _require_sense(options)
        # The emulator and the CDK take seconds to import, which no question for help should have to wait for.
        if options.command == "demo":
            from local.demo import SAMPLE_CHANGE, Course, demo

            newest = max(options.blue_version, 18)
            region = "" if options.plain else "eu-west-1"
            course = Course(
                blue_version=options.blue_version,
                green_version=options.green_version or (None if options.plain else newest),
                secondary_region=region if options.secondary_region is None else options.secondary_region,
                changes=tuple(options.changes or ([] if options.plain else [SAMPLE_CHANGE])),
                is_rehearsed=options.rehearse,
                ends_blue=not options.plain,
                approve_unasked=options.yes,
            )
            return demo(console, options.output, course)
        from local.up import up

        return up(console, options)
    except KeyboardInterrupt:
        left = "" if options.command in ("verify", "decommission") else "; everything was stopped and removed"
        console.print(f"[yellow]Interrupted{left}.[/yellow]")
        return 130
    except (LoadError, LocalError, OSError, ServerError, UsageError) as error:
        console.print(escape(str(error)), style="red")
        return 2


class UsageError(Exception):
    """The command cannot be carried out as asked; the message says why."""


def _require_sense(options: argparse.Namespace) -> None:
    if options.green_version and options.green_version < options.blue_version:
        raise UsageError(f"--green-version {options.green_version}: older than --blue-version {options.blue_version}")
    if options.secondary_region:
        _require_other_region(options.secondary_region)
    _require_files("--changes" if options.command == "demo" else "--load", options)
    if options.command != "up":
        return
    into = options.into or options.databases[0]
    if into not in options.databases:
        raise UsageError(f"--into {into}: not one of --databases {','.join(options.databases)}")


def _require_files(option: str, options: argparse.Namespace) -> None:
    for path in getattr(options, option[2:]) or ():
        if path.is_dir():
            raise UsageError(f"{option} {path}: that is a folder; name the files, in their order")
        if not path.is_file():
            raise UsageError(f"{option} {path}: there is no such file")


def _require_other_region(region: str) -> None:
    from botocore.session import Session  # it takes longer to import than a question for help takes

    regions = {name for name in Session().get_available_regions("rds") if name != REGION}
    if region == REGION:
        raise UsageError(f"--secondary-region {region}: that is blue's own; name another, such as eu-west-1")
    if region not in regions:
        near = difflib.get_close_matches(region, regions, n=1)
        raise UsageError(f"--secondary-region {region}: no Region of AWS; did you mean {(near or ['eu-west-1'])[0]}?")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
