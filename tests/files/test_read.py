"""open_regular and read_json: nothing that blocks, nothing without end, one sentence for each."""

import os
import socket
import sys
from pathlib import Path

import pytest

from fastnn.files.read import JSON_DEPTH, open_regular, parse_json, read_bytes, read_json


def test_a_regular_file_and_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    (tmp_path / "link").symlink_to("f")
    for name in ("f", "link"):
        with open_regular(tmp_path / name) as stream:
            assert stream.read() == b"content"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    for path, words in ((tmp_path / "fifo", "a FIFO, not a regular file"),
                        (tmp_path / "socket", "a socket, not a regular file"),
                        ("/dev/zero", "a device, not a regular file"),
                        (tmp_path, "a folder, expected a file"),
                        (tmp_path / "missing", "No such file")):
        with pytest.raises(OSError, match=words) as caught:
            open_regular(path)
        assert str(path) in str(caught.value)


def test_a_fifo_that_takes_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "f").touch()
    regular = os.stat(tmp_path / "f")
    (tmp_path / "f").unlink()
    os.mkfifo(tmp_path / "f")
    monkeypatch.setattr(os, "stat", lambda path: regular)
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="a FIFO"):
        open_regular(tmp_path / "f")
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_sizes_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert read_bytes(tmp_path / "f", 5) == b"12345"
    with pytest.raises(ValueError, match=r"f: has more than 4 bytes"):
        read_bytes(tmp_path / "f", 4)


@pytest.mark.parametrize(("content", "words"), [
    (b"", "not JSON"), (b"{", "not JSON"), (b"[1,]", "not JSON"), (b"\xff{}", "not JSON"),
    (b"[" * 10**6, "nested more than 100 deep"), (b'{"a":' * 10**5, "nested more than 100 deep"),
    (b"9" * 10_000, "not JSON"), (b'{"a": 1, "a": 2}', "a name is there twice"),
    ("é".encode("utf-16"), "not JSON"),
])
def test_bad_json_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_json(tmp_path / "f")
    assert str(tmp_path / "f") in str(caught.value)


def test_a_raised_recursion_limit_does_not_let_deep_json_overflow_the_stack() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**9)
    try:
        with pytest.raises(ValueError, match="deep"):
            parse_json(b'{"a":[' * 10**6)
    finally:
        sys.setrecursionlimit(before)


def test_brackets_within_strings_are_no_nesting() -> None:
    text = b'{"' + b"[" * 1000 + b'": "\\"' + b"{" * 1000 + b'\\\\"}'
    assert parse_json(text) == {"[" * 1000: '"' + "{" * 1000 + "\\"}
    deepest = b"[" * JSON_DEPTH + b"]" * JSON_DEPTH
    assert parse_json(deepest) is not None
    with pytest.raises(ValueError, match="deep"):
        parse_json(b"[" + deepest + b"]")


def test_escaped_quotes_without_an_end_take_linear_time() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        parse_json(b'"' + b'\\"' * 10**6)
