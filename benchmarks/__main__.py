"""``python -m benchmarks``: measures on this machine; see docs/performance.md for what came out of it."""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import changed, chunks, coldstart, scaling, verify
from benchmarks.scaling import Growth
from benchmarks.switchover import AIM, PROPAGATION_AIM, Results, Switchover, measure, save
from benchmarks.timeline import chart, medians

AXES = [axis.name for axis in scaling.axes(1)]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    switchover = commands.add_parser(
        "switchover",
        help="how long clients cannot write, against a switchover by hand and empty function tasks",
        description="Releases a database again and again while eight clients write 400 rows/s to it. Exit status 0 if "
        "the medians reach the aims and no acknowledged row is missing.",
    )
    switchover.add_argument("--runs", type=int, default=5, help="releases without propagation (default: %(default)s)")
    switchover.add_argument(
        "--propagated-runs", type=int, default=3, help="releases with propagation (default: %(default)s)"
    )
    switchover.add_argument(
        "--propagation", type=float, default=2.0, metavar="S", help="its seconds (default: %(default)s)"
    )
    switchover.add_argument(
        "--output", type=Path, default=Path("build/bench/switchover.json"), help="report (default: %(default)s)"
    )
    switchover.add_argument("--scaling", action="store_true", help="whether it grows with the size, instead")
    switchover.add_argument(
        "--axes", nargs="+", choices=AXES, default=AXES, metavar="NAME", help=f"for --scaling: of {', '.join(AXES)}"
    )
    switchover.add_argument(
        "--factor", type=float, default=1.0, help="for --scaling: of the large sizes (default: %(default)s)"
    )
    coldstart_ = commands.add_parser(
        "coldstart",
        help="how long the import of each handler takes, and how much functions carry",
        description="Imports each handler of the packaged asset in fresh processes. Exit status 0 if each median is"
        " within the aim, as packaged, which is without bytecode, and so is the size of what every function carries.",
    )
    coldstart_.add_argument("--runs", type=int, default=3, help="of each, with and without (default: %(default)s)")
    coldstart_.add_argument(
        "--output", type=Path, default=Path("build/bench/coldstart.json"), help="report (default: %(default)s)"
    )
    verify_ = commands.add_parser(
        "verify",
        help="how fast two databases are proven equal, against one statement on both and against peers",
        description="Compares equal tables of PostgreSQL 16 and 18, then three planted differences. Exit status 0 if "
        "the rate reaches the aim, no peer is faster, and the differences are found.",
    )
    verify_.add_argument("--rows", type=int, default=5_000_000, help="(default: %(default)s)")
    verify_.add_argument("--runs", type=int, default=5, help="of each (default: %(default)s)")
    verify_.add_argument("--workers", type=int, default=2, help="connections to each side (default: %(default)s)")
    verify_.add_argument(
        "--chunks", type=int, metavar="N", help="instead: a queue of so many chunks, and whether it stays quick"
    )
    verify_.add_argument(
        "--changed",
        action="store_true",
        help="instead: what a release's freeze compares after 1 %% of the rows changed",
    )
    verify_.add_argument(
        "--output", type=Path, default=Path("build/bench/verify.json"), help="report (default: %(default)s)"
    )
    return root


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    options = parser().parse_args(arguments)
    console = Console(highlight=False)
    if options.command == "coldstart":
        return show_cold_starts(console, options)
    with console.status("starting servers and emulator") as status:
        if options.command == "verify" and options.chunks:
            queue = chunks.measure(options.chunks, options.workers, status.update)
            save(queue.to_report(), options.output.with_name("chunks.json"))
            show_queue(console, queue)
            return 0
        if options.command == "verify" and options.changed:
            again = changed.measure(options.rows, status.update)
            save(again.to_report(), options.output.with_name("changed.json"))
            show_changed(console, again)
            return 0 if again.ratio <= changed.AIM else 1
        if options.command == "verify":
            proof = verify.measure(options.rows, options.runs, options.workers, status.update)
            save(proof.to_report(), options.output)
            return 0 if show_proof(console, proof) else 1
        if options.scaling:
            growths = []
            for growth in scaling.measure(options.axes, options.factor, options.runs, status.update):
                growths.append(growth)
                show_growth(console, growth)
                save({"growth": [growth.to_report() for growth in growths]}, options.output)
            return 0 if all(growth.ratio <= scaling.AIM for growth in growths) else 1
        results = measure(options.runs, options.propagated_runs, options.propagation, status.update)
    save(results.to_report(), options.output)
    reached = show(console, results)
    console.print(f"\nReport: {options.output}")
    return 0 if reached else 1


def show_cold_starts(console: Console, options: argparse.Namespace) -> int:
    """Imports of each handler, the slowest first; the exit status."""
    assembly = coldstart.packaged()
    sizes = [coldstart.zipped_bytes(folder) for folder in coldstart.assets(assembly)]
    with console.status("importing"):
        found = sorted(coldstart.measure(assembly, options.runs), key=lambda each: -each.compiling_s)
    save({"imports": [asdict(each) for each in found], "zipped_bytes": sizes}, options.output)
    table = Table(box=None, padding=(0, 2))
    for heading in ("handler", "import, s", "processor, s", "with bytecode, s"):
        table.add_column(heading, justify="left" if heading == "handler" else "right")
    for each in found:
        table.add_row(each.module, f"{each.compiling_s:.3f}", f"{each.processor_s:.3f}", f"{each.compiled_s:.3f}")
    console.print(table)
    all_functions, parser_too = sizes
    console.print(
        f"\nEvery function carries {all_functions / 1e6:.2f} MB zipped; two have a layer of {parser_too / 1e6:.2f} MB."
    )
    reached = found[0].compiling_s <= coldstart.AIM_S and all_functions <= coldstart.SIZE_AIM_BYTES
    console.print(
        f"Aims: {coldstart.AIM_S} s, {coldstart.SIZE_AIM_BYTES / 1e6:g} MB: {'reached' if reached else 'not reached'}"
    )
    return 0 if reached else 1


def show_growth(console: Console, growth: Growth) -> None:
    """What `--scaling` found about one thing."""
    small, large = growth.medians_ms
    console.print(f"\n{growth.axis.name}: {growth.axis.small} to {growth.axis.large}")
    console.print(f"freeze {small:.0f} ms to {large:.0f} ms: {growth.ratio:.2f} times, aim {scaling.AIM}")
    show_timeline(console, growth.large)


def show_proof(console: Console, results: verify.Results) -> bool:
    """The summary of `verify`; whether all aims were reached."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("", "rows/s", "runs, s", "planted"):
        table.add_column(heading, justify="right" if heading == "rows/s" else "left")
    for name, runs in [("floor, names nothing", results.floors_s), ("ours", results.ours_s), *results.peers_s.items()]:
        found = {True: "found", False: "not found", None: ""}[results.found.get(name)]
        seconds = " ".join(f"{run:.2f}" for run in sorted(runs))
        table.add_row(name, f"{results.rate(runs):,.0f}", seconds, found)
    console.print(table)
    for name, reason in results.left_out.items():
        console.print(f"left out: {name}, {reason}")
    console.print(f"ours / floor = {results.ratio:.2f}, aim {verify.AIM}")
    return results.reached


def show_queue(console: Console, results: chunks.Results) -> None:
    """The summary of `verify --chunks`."""
    each_ms = 1000 * results.workers * results.work_s / results.chunks
    console.print(f"{results.chunks:,} chunks were queued in {results.divide_s:.1f} s")
    console.print(f"{results.workers} workers compared them in {results.work_s:.0f} s: {each_ms:.1f} ms each")
    console.print(f"a look at how far it is, half-way: {results.progress_ms:.0f} ms")
    for name, medians_ms in (("take", results.take_ms), ("note", results.note_ms)):
        console.print(f"{name}, median ms in each tenth: {' '.join(f'{each:.2f}' for each in medians_ms)}")


def show_changed(console: Console, results: changed.Results) -> None:
    """The summary of `verify --changed`."""
    console.print(f"{results.rows:,} rows compared in {results.full_ms / 1000:.1f} s, while writes would go on")
    console.print(f"{results.changed_rows:,} changed: recheck {results.recheck_ms / 1000:.2f} s, not frozen yet")
    console.print(
        f"in the freeze {results.in_freeze_ms:.0f} ms, {100 * results.ratio:.1f} % of a full comparison,"
        f" aim {100 * changed.AIM:.0f} %"
    )


def show_timeline(console: Console, runs: list[Switchover]) -> None:
    """Where the time went."""
    timeline = medians([run.timeline for run in runs])
    until = statistics.median(run.client_write_gap_ms for run in runs)
    for span, line in zip(timeline, chart(timeline, until), strict=True):
        own = "" if span.function_ms is None else f", function {span.function_ms:.0f}"
        console.print(f"{line} {span.entered_ms:5.0f} + {span.lasted_ms:.0f} ms{own}", markup=False, soft_wrap=True)


def show(console: Console, results: Results) -> bool:
    """The summary; whether all aims were reached."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("", "median", "runs"):
        table.add_column(heading, justify="right" if heading == "median" else "left")

    def row(name: str, middle: float, values: list[float]) -> None:
        table.add_row(name, f"{middle:.0f} ms", " ".join(f"{value:.0f}" for value in sorted(values)))

    row("floor, by hand", results.floor_ms, [run.client_write_gap_ms for run in results.floors])
    row("e, an empty function task", results.e_ms, results.empty_ms)
    row("clients' gap, whole release", results.gap_ms, [run.client_write_gap_ms for run in results.switchovers])
    if results.propagated:
        name = f"the same, propagation {results.propagation_ms:.0f} ms"
        row(name, results.propagated_gap_ms, [run.client_write_gap_ms for run in results.propagated])
    console.print(table)
    tasks = len(results.tasks)
    bound = results.floor_ms + tasks * results.e_ms
    console.print(f"\non the way from freeze to opening: {tasks} tasks ({', '.join(results.tasks)})")
    console.print(f"gap / (floor + {tasks} e) = {results.gap_ms:.0f} / {bound:.0f} = {results.ratio:.2f}, aim {AIM}")
    reached = results.ratio <= AIM
    if results.propagated:
        console.print(f"gap / propagation = {results.propagation_ratio:.3f}, aim {PROPAGATION_AIM}")
        reached &= results.propagation_ratio <= PROPAGATION_AIM
    lost = sum(run.lost for run in results.switchovers + results.propagated)
    console.print(f"acknowledged rows lost: {lost}\n")
    show_timeline(console, results.switchovers)
    return reached and lost == 0


if __name__ == "__main__":
    sys.exit(main())
