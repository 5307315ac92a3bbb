"""Figures, tables and pictures, from rounds that are given."""

import pytest

from fastnn.bench import ops, peak, step, sweep
from fastnn.bench.bars import save_bars
from fastnn.bench.crew import Measured
from fastnn.bench.figures import fastest, of_limit
from fastnn.bench.modes import FASTNN, MODES
from fastnn.bench.roofline import points, save_roofline
from fastnn.bench.rows import Row, floats, linear
from fastnn.runtime.cores import available_cores

PEAK = {"threads": 1, "flops": 100e9, "bytes": 10e9, "read": 6e9, "written": 5e9}
MACHINE = {"processor": "a processor", "instruction_set": "avx2", "load": [0.5, 0, 0]}


def net_report():
    """A net in which channels_last is the fastest mode in fp32, bf16 faster still, one failed."""
    rounds = {"fastnn": [1.0, 2.0, 1.5], "torch": [4.0, 4.0, 4.0],
              "torch channels_last": [2.0, 3.0, 4.5], "torch bf16 channels_last": [1.0, 1.0, 1.0]}
    modes = [FASTNN, *(mode for mode in MODES if mode.engine == "torch")]
    errors = {mode.name: "no compiler" for mode in modes if mode.name not in rounds}
    entries = [step.entry(mode, "1", 10**8, rounds, errors) for mode in modes]
    result = {"net": "lenet", "batch": 64, "modes": entries,
              "fastest": {key: best["mode"] for key, best in fastest(entries).items()}}
    return {"report": "step", "machine": MACHINE, "threads": 1, "rounds": 3, "results": [result]}


def test_the_fastest_mode_in_fp32_is_the_one_to_compare_with():
    result = net_report()["results"][0]
    assert result["fastest"] == {"torch": "torch channels_last"}
    table = step.table([result]).splitlines()
    [marked] = [line for line in table if "<- fastest" in line]
    assert "torch channels_last " in marked and "    2.00   1.50-3.00" in marked
    assert sum("failed: no compiler" in line for line in table) == 3
    assert any("bf16" in line and "not fp32" in line for line in table)
    assert table[-1] == ("lenet, batch 64: fastnn is 2.00x (1.50-3.00) as fast as the fastest "
                         "fp32 mode of torch, torch channels_last")
    assert "ms/step" in table[0] and "ms/call" in step.table([result], "call")


def measured(own, other):
    """Rounds of forward and backward, which takes twice as long."""
    return Measured({name: [{"forward": s, "backward": 2 * s} for s in seconds]
                     for name, seconds in (("fastnn", own), ("torch", other))}, {}, 3)


def ops_report():
    rows = [linear(512, 512), Row("relu", (floats("N", 64, 32, 32),))]
    results = [ops.result(row, measured([0.02, 0.01, 0.03], [0.04, 0.02, 0.03]), PEAK)
               for row in rows]
    return {"machine": MACHINE, "threads": 1, "rounds": 3, "peak": PEAK, "results": results,
            "versions": {"fastnn": "1", "torch": "2"}}


def test_rates_and_shares():
    forward = ops_report()["results"][0]["passes"]["forward"]
    flops = 2 * 128 * 512 * 512 + 128 * 512
    assert forward["flops"] == pytest.approx(flops, rel=0.01)
    assert forward["flops_per_second"] == forward["flops"] / 0.02
    assert forward["limit"] == "fma"
    assert forward["share"] == pytest.approx(forward["flops"] / 100e9 / 0.02)
    assert forward["ratio"]["torch"] == {"median": 2.0, "least": 1.0, "most": 2.0}
    relu = ops_report()["results"][1]["passes"]["backward"]
    assert relu["limit"] == "memory"
    assert relu["share"] == pytest.approx(3 * 4 * 128 * 64 * 1024 / 10e9 / 0.04)
    table = ops.table(ops_report())
    assert "limits: 100.0 GFLOP/s of multiply-adds, 10.0 GB/s copied" in table
    assert "     2.00  1.00-2.00" in table


def test_the_limit_is_the_longer_of_two_times():
    assert of_limit(100e9, 1e9, 2.0, PEAK) == (0.5, "fma")
    assert of_limit(1e9, 10e9, 2.0, PEAK) == (0.5, "memory")


def sweep_results():
    fast, slow = measured([1.0] * 3, [2.0] * 3), measured([1.0] * 3, [0.5] * 3)
    close = measured([1.05] * 3, [1.0] * 3)
    return [{"number": number, **ops.result(linear(8, 8), each)}
            for number, each in enumerate((fast, slow, close))]


def test_sweep_lists_what_is_slower():
    assert [(one["number"], one["pass"], one["times"]) for one in sweep.slower(sweep_results())] \
        == [(1, "forward", 2.0), (1, "backward", 2.0)]
    table = sweep.table(sweep_results())
    assert "3 shapes, 6 passes: 1 shapes slower than 1.1 times a peer, in 2 passes" in table
    assert "torch, forward: fastnn is 0.98x" in table


def test_random_rows_are_sound():
    rows = sweep.random_rows(200, 0)
    assert rows == sweep.random_rows(200, 0) != sweep.random_rows(200, 1)
    assert {row.function for row in rows} == {"conv2d", "max_pool2d", "avg_pool2d",
                                              "adaptive_avg_pool2d", "batch_norm", "linear"}
    assert any(row.arguments.get("groups", 1) > 1 for row in rows)
    for row in rows:
        ops.work(row)  # every shape fits its operation


def test_peak_of_small_blocks():
    one, two = (peak.measure(threads, 1, 1 << 20) for threads in (1, 2))
    assert one["threads"] == 1 and one["flops"] > 1e8 and two["bytes"] > 1e6
    meter = peak.Meter(1, 1 << 20)
    meter.sample()
    before = meter.rates()
    meter.sample()
    assert all(meter.rates()[key] >= before[key] for key in before)
    assert "GFLOP/s" in peak.table([one, two])


@pytest.mark.skipif(available_cores() < 2, reason="needs two cores")
def test_handover():
    """A line takes longer than a cycle, and less than a system call."""
    assert 1e-9 < min(peak.handover_seconds() for _ in range(3)) < 1e-3


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    report = ops_report()
    assert {point["pass"] for point in points(report)} == {"forward", "backward"}
    save_roofline(str(tmp_path / "roof.png"), report)
    for kind in ("step", "inference"):
        save_bars(str(tmp_path / f"{kind}.svg"), net_report() | {"report": kind})
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "step.svg").read_bytes()
    assert (tmp_path / "step.svg").read_bytes() != (tmp_path / "inference.svg").read_bytes()
    with pytest.raises(ValueError, match="png"):
        save_roofline(str(tmp_path / "roof.doc"), report)
