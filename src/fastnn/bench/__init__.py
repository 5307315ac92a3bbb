"""Benchmarks: whole steps and calls, single operations, random shapes, and this machine's limits.

`serve` runs in a worker's process and times what a peer gives it; `turns` lets workers take turns;
`figures` turns rounds into medians, spreads and ratios. `nets` and `rows` say what is measured;
`step`, `ops`, `sweep` and `peak` each make one report. Other engines are scripts in the
repository's folder bench/peers/; the package never imports them.
"""
