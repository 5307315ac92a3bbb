"""Options that the command lines of studies share."""

from __future__ import annotations

import argparse

THREADS = 2  # a study's figures are of as many, whatever the machine has


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the study's docstring."""
    return argparse.ArgumentParser(description=doc,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """--threads N"""
    parser.add_argument("--threads", type=int, default=THREADS, metavar="N",
                        help=f"default: {THREADS}")


def add_thread_counts(parser: argparse.ArgumentParser) -> None:
    """--threads N N ..: a row for each"""
    parser.add_argument("--threads", type=int, nargs="+", default=[1, THREADS], metavar="N",
                        help=f"default: 1 {THREADS}")


def add_rounds(parser: argparse.ArgumentParser, rounds: int) -> None:
    """--rounds N, in which all that is compared has a turn"""
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N",
                        help=f"turns of each: figures are medians over them (default: {rounds})")
