"""How many threads: the setting, the environment, the machine."""

import os

import pytest

import fastnn as fn
from fastnn.runtime import threads


def test_set_and_get():
    fn.set_num_threads(3)
    assert fn.get_num_threads() == 3


@pytest.mark.parametrize(("value", "error"), [
    (0, ValueError), (-1, ValueError), (threads.MAX_THREADS + 1, ValueError), (1.0, TypeError),
    ("2", TypeError), (True, TypeError), (None, TypeError)])
def test_bad_numbers(value, error):
    with pytest.raises(error, match="number of threads"):
        fn.set_num_threads(value)


@pytest.mark.parametrize(("text", "expected"), [("3", 3), ("5,2", 5), ("99999", 1024)])
def test_environment(monkeypatch, text, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads.default_threads() == expected


@pytest.mark.parametrize("text", ["", "0", "many", "-2"])
def test_nonsense_in_the_environment_is_ignored(monkeypatch, text):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert 1 <= threads.default_threads() <= os.cpu_count()


@pytest.mark.parametrize(("text", "expected"), [
    ("150000 100000", 1), ("400000 100000", 4), ("50000 100000", 1),
    ("max 100000", threads.MAX_THREADS), ("garbage", threads.MAX_THREADS)])
def test_quota(tmp_path, text, expected):
    (tmp_path / "cpu.max").write_text(text)
    assert threads._quota(str(tmp_path)) == expected


def test_no_quota_file(tmp_path):
    assert threads._quota(str(tmp_path)) == threads.MAX_THREADS
