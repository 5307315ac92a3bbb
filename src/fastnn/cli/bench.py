"""fastnn bench: times of steps and operations, compared with the machine's limits and peers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from fastnn.bench import ops as ops_report
from fastnn.bench import peak as peak_report
from fastnn.bench import scaling as scaling_report
from fastnn.bench import step as step_report
from fastnn.bench import sweep as sweep_report
from fastnn.bench.crew import Setting
from fastnn.bench.machine import headline, machine
from fastnn.bench.modes import engines_of, modes_of
from fastnn.bench.nets import KNOWN, MORE, NETS
from fastnn.bench.rows import ROWS, Row
from fastnn.bench.turns import WorkerError
from fastnn.cli.stopped import Stopped
from fastnn.files.write import replacing
from fastnn.runtime.threads import MAX_THREADS, get_num_threads

STANDARD_OUTPUT = "-"
Command = Callable[..., Any]


def common(seconds: float, engines: Sequence[str] = ()) -> Callable[[Command], Command]:
    """The options of all subcommands, and those of the ones that put engines beside fastnn.

    seconds: the default length of a turn.
    """
    options = [
        click.option("--threads", type=click.IntRange(1, MAX_THREADS), default=None,
                     show_default=False, help="[default: all processors that may be used]"),
        click.option("--rounds", type=click.IntRange(1), default=7,
                     help="Rounds in turns; fewer than 7 give no fair median."),
        click.option("--json", "json_file", is_flag=False, flag_value=STANDARD_OUTPUT,
                     default=None, metavar="[FILE]", show_default=False,
                     help="Write the figures as JSON to FILE, or print them in place of the "
                          "table."),
    ]
    if engines:
        options += [
            click.option("--vs", type=click.Choice(engines), multiple=True, metavar="ENGINE",
                         help=f"Put {', '.join(engines)} beside it, in processes of their own; "
                              "may be given more than once."),
            click.option("--seconds", type=click.FloatRange(0, min_open=True), default=seconds,
                         help="Length of the fastest one's turn."),
            click.option("--peers", type=click.Path(exists=True, file_okay=False, path_type=Path),
                         default=None, show_default=False, metavar="FOLDER",
                         help="The engines' scripts. [default: bench/peers of the repository]"),
            click.option("--python", type=click.Path(exists=True, dir_okay=False), default=None,
                         show_default=False, metavar="FILE",
                         help="The interpreter that has the engines. [default: this one]"),
        ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


nets_option = click.option("--nets", default=",".join(NETS), metavar="NAME,NAME",
                           help=f"Which nets, separated by commas; also {', '.join(MORE)}.")
modes_option = click.option("--modes", default=None, metavar="NAME,NAME", show_default=False,
                            help="Only these modes of the engines. [default: all]")
plot_option = click.option("--plot", type=click.Path(dir_okay=False), default=None,
                           metavar="FILE", help="Draw a picture (PNG, SVG or PDF).")


def _sizes(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    """Whole numbers from 1 up, separated by commas."""
    size = click.IntRange(1)
    return [size(part, option, context) for part in text.split(",")]


class Figures(click.Group):
    """Turn the failure of a worker into one sentence and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except WorkerError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Figures)
def bench() -> None:
    """Measure training steps, inference, operations, random shapes, and this machine's limits.

    Engines run in turns, each in a process of its own; figures are medians over rounds, with the
    least and the most. Only ratios of one run count: machines differ, and are shared.
    """


@bench.command("step", context_settings={"show_default": True})
@nets_option
@click.option("--batch", type=click.IntRange(1), default=None, show_default=False,
              help="Examples in a batch. [default: the net's own]")
@modes_option
@common(seconds=0.3, engines=engines_of("step"))
@plot_option
def step(nets: str, batch: int | None, **options: Any) -> None:
    """Time whole training steps: fp32, SGD with momentum."""
    _measure_nets("step", nets, [batch], **options)


@bench.command("inference", context_settings={"show_default": True})
@nets_option
@click.option("--batch", callback=_sizes, default="1,32", metavar="N,N",
              help="Examples in a batch, separated by commas.")
@modes_option
@common(seconds=0.3, engines=engines_of("inference"))
@plot_option
def inference(nets: str, batch: list[int], **options: Any) -> None:
    """Time calls of whole nets in eval mode: fp32, arrays in and out."""
    _measure_nets("inference", nets, batch, **options)


@bench.command("ops", context_settings={"show_default": True})
@click.option("--only", default=None, metavar="TEXT", show_default=False,
              help="Only operations with TEXT in their line. [default: all]")
@common(seconds=0.03, engines=engines_of("ops"))
@plot_option
def ops(
    only: str | None, vs: tuple[str, ...], json_file: str | None, plot: str | None,
    **options: Any,
) -> None:
    """Time single operations, forward and backward, and their share of this machine's limits."""
    rows = _rows(only or "")
    setting, facts = _setting(options), machine()
    report = _report("ops", facts, setting,
                     ops_report.measure_rows(rows, modes_of(vs, "ops"), setting, _log))
    _show(report, ops_report.table(report), json_file)
    if plot:
        from fastnn.bench.roofline import save_roofline

        save_roofline(plot, report)


@bench.command("sweep", context_settings={"show_default": True})
@click.option("--count", type=click.IntRange(1), default=200, help="How many random shapes.")
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--only", default=None, metavar="N,N", show_default=False,
              help="Only the shapes with these numbers. [default: all]")
@common(seconds=0.03, engines=engines_of("ops"))
def sweep(
    count: int, seed: int, only: str | None, vs: tuple[str, ...], json_file: str | None,
    **options: Any,
) -> None:
    """Compare random shapes of convolutions, pools, norms and linear layers with an engine.

    Against PyTorch in channels_last unless --vs says otherwise. Lists each shape that takes more
    than 1.1 times as long. A file of --json is written after each shape, so that Ctrl-C loses
    nothing.
    """
    rows = dict(enumerate(sweep_report.random_rows(count, seed)))
    if only is not None:
        rows = {int(number): rows[int(number)]
                for number in _named(only, list(map(str, rows)), "--only")}
    modes = [mode for mode in modes_of(vs or ("torch",), "ops") if mode.name != "torch"]
    setting, facts = _setting(options), machine()
    report = _report("sweep", facts, setting, {"seed": seed, "count": count, "results": []})
    results = report["results"]
    try:
        for result in sweep_report.measure_sweep(rows, modes, setting):
            results.append(result)
            report["slower"] = sweep_report.slower(results)
            if json_file not in (None, STANDARD_OUTPUT):
                _write(str(json_file), report)
            times = [f"{name} {ratio['median']:.2f}x" for name, figures in result["passes"].items()
                     for ratio in figures["ratio"].values()]
            _log(f"{len(results)}/{len(rows)} {result['row']}: {', '.join(times)}")
    except KeyboardInterrupt as interrupt:
        _show(report, sweep_report.table(results), json_file)
        raise Stopped(
            f"stopped after {len(results)} of {len(rows)} shapes") from interrupt
    _show(report, sweep_report.table(results), json_file)


@bench.command("scaling", context_settings={"show_default": True})
@click.option("--nets", default=",".join(NETS), metavar="NAME,NAME",
              help="Which nets, separated by commas; \"\" for none.")
@click.option("--ops", "text", default=None, metavar="TEXT", show_default=False,
              help="Operations with TEXT in their line, too; \"\" for all. [default: none]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=0.3,
              help="Length of the fastest one's turn.")
@common(seconds=0)
@plot_option
def scaling(
    nets: str, text: str | None, seconds: float, threads: int | None, rounds: int,
    json_file: str | None, plot: str | None,
) -> None:
    """Measure nets and operations with 1, 2, 4, ... threads, in turns.

    Shows how many times as fast they are as with one thread, and which share they reach of what
    this machine does at that number of threads. Convolutions count as direct sums.
    """
    subjects = [scaling_report.net(name)
                for name in (_named(nets, list(KNOWN), "--nets") if nets else [])]
    if text is not None:
        subjects += map(scaling_report.operation, _rows(text))
    if not subjects:
        raise click.UsageError("nothing to measure: name nets or operations")
    setting, facts = Setting(threads or get_num_threads(), rounds, seconds), machine()
    counts = scaling_report.thread_counts(setting.threads)
    results = []
    for result in scaling_report.measure_scaling(subjects, counts, setting):
        results.append(result)
        _log(f"{result['subject']}, {result['pass']}")
    report = _report("scaling", facts, setting, {"results": results})
    _show(report, scaling_report.table(results), json_file)
    if plot:
        from fastnn.bench.curves import save_curves

        save_curves(plot, report)


@bench.command("peak", context_settings={"show_default": True})
@common(seconds=0)
def peak(threads: int | None, rounds: int, json_file: str | None) -> None:
    """Measure this machine's rates of multiply-adds and of copies, from 1 thread up."""
    facts = machine()
    counts = scaling_report.thread_counts(threads or get_num_threads())
    rates = [peak_report.measure(count, rounds) for count in counts]
    report = {"report": "peak", "machine": facts, "rounds": rounds, "results": rates}
    _show(report, peak_report.table(rates), json_file)


def _measure_nets(
    kind: str, nets: str, batches: Sequence[int | None], modes: str | None, vs: tuple[str, ...],
    json_file: str | None, plot: str | None, **options: Any,
) -> None:
    """Measure, show and draw each net with each batch; None is the net's own."""
    names = _named(nets, list(KNOWN), "--nets")
    chosen = modes_of(vs, kind)
    if modes is not None:
        wanted = _named(modes, [mode.name for mode in chosen], "--modes")
        chosen = [mode for mode in chosen if mode.name in ("fastnn", *wanted)]
    setting, facts = _setting(options), machine()
    request, run = {"step": ("net", "step"), "inference": ("inference", "call")}[kind]
    results = []
    for name in names:
        for batch in batches:
            _log(f"{name}, batch {batch or KNOWN[name].batch}: "
                 f"{', '.join(mode.name for mode in chosen)}")
            results.append(step_report.measure_net(name, chosen, setting, batch, request))
    report = _report(kind, facts, setting, {"results": results})
    _show(report, step_report.table(results, run), json_file)
    if plot:
        from fastnn.bench.bars import save_bars

        save_bars(plot, report)


def _rows(text: str) -> list[Row]:
    rows = [row for row in ROWS if text in row.name]
    if not rows:
        raise click.UsageError(f"no operation has {text!r} in its line")
    return rows


def _setting(options: dict[str, Any]) -> Setting:
    return Setting(**{**options, "threads": options["threads"] or get_num_threads()})


def _report(
    kind: str, facts: dict[str, Any], setting: Setting, figures: dict[str, Any]
) -> dict[str, Any]:
    return {"report": kind, "machine": facts, "threads": setting.threads,
            "rounds": setting.rounds, **figures}


def _named(text: str, known: list[str], option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise click.BadParameter(f"unknown {', '.join(unknown) or 'name'}; known are "
                                 f"{', '.join(known[:20])}", param_hint=option)
    return names


def _show(report: dict[str, Any], table: str, json_file: str | None) -> None:
    if json_file == STANDARD_OUTPUT:
        click.echo(json.dumps(report))
        return
    click.echo(headline(report["machine"], report.get("threads"), report["rounds"]))
    click.echo(table)
    if json_file is not None:
        _write(json_file, report)
        click.echo(f"written to {json_file}")


def _write(path: str, report: dict[str, Any]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        stream.write(json.dumps(report, indent=1).encode() + b"\n")


def _log(text: str) -> None:
    click.echo(text, err=True)
