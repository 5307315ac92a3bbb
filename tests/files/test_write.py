"""replacing: whole files, whoever else writes, is killed, or lies where the file should be."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastnn.files.write import replacing

CHILD = """
import sys, time
from fastnn.files.write import replacing
with replacing(sys.argv[1]) as stream:
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    {then}
"""


def write(path: Path, content: bytes = b"new") -> None:
    with replacing(path) as stream:
        stream.write(content)


def child(path: Path, then: str) -> "subprocess.Popen[str]":
    """A process that has written half of a file."""
    process = subprocess.Popen([sys.executable, "-c", CHILD.format(then=then), str(path)],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    return process


def test_threads_that_write_one_path(tmp_path: Path) -> None:
    path, faults = tmp_path / "f", []

    def writer(number: int) -> None:
        try:
            for turn in range(20):
                write(path, bytes([number]) * (1000 + turn))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == [] and os.listdir(tmp_path) == ["f"]
    assert len(set(path.read_bytes())) == 1 and len(path.read_bytes()) == 1019


def test_the_last_of_two_writers_wins(tmp_path: Path) -> None:
    with replacing(tmp_path / "f") as first:
        first.write(b"first")
        write(tmp_path / "f", b"second")
        assert (tmp_path / "f").read_bytes() == b"second"
    assert (tmp_path / "f").read_bytes() == b"first"


def test_leftovers_of_killed_processes_are_swept_up_by_the_next_save(tmp_path: Path) -> None:
    for number in range(3):
        process = child(tmp_path / f"f{number}", "time.sleep(60)")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(os.listdir(tmp_path)) >= 1
    write(tmp_path / "other")
    assert os.listdir(tmp_path) == ["other"]


def test_a_file_that_is_being_written_is_not_swept_up(tmp_path: Path) -> None:
    process = child(tmp_path / "slow", "time.sleep(60)")
    before = os.listdir(tmp_path)
    write(tmp_path / "quick")
    assert set(before) < set(os.listdir(tmp_path))
    process.kill()
    process.wait()


def test_a_stopped_writer_ends_whole(tmp_path: Path) -> None:
    """Even where its process number says nothing: it is the lock that counts."""
    process = child(tmp_path / "slow", "time.sleep(0.5)")
    process.send_signal(signal.SIGSTOP)
    write(tmp_path / "quick")
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) == 0
    assert (tmp_path / "slow").read_bytes() == b"half"
    assert sorted(os.listdir(tmp_path)) == ["quick", "slow"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    names = {".f.part", ".fastnn-12.part", ".fastnn-0123456789abcdef.part.txt", "x.part"}
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / ".fastnn-0123456789abcdef.part").symlink_to("x.part")
    write(tmp_path / "f")
    assert names < set(os.listdir(tmp_path))


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, ".hidden", "with space\nand line",
                                  "日本.safetensors", "-rf"])
def test_names(tmp_path: Path, name: str) -> None:
    for content in (b"one", b"two"):
        write(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content and os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_an_old_files_mode_is_kept_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "f"
    path.touch()
    path.chmod(mode)
    with replacing(path) as stream:
        stream.write(b"secret")
        (temporary,) = set(os.listdir(tmp_path)) - {"f"}
        assert stat.S_IMODE((tmp_path / temporary).stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"secret"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_follows_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write(tmp_path / "f")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o666 & ~mask


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_an_old_files_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    os.chown(path, 1234, 4321)
    path.chmod(0o640)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_a_folder_or_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    """In a child that is nobody: what open() would refuse is refused."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    (tmp_path / "f").write_text("old")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "fixed").write_text("old")
    (tmp_path / "open" / "fixed").chmod(0o444)
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        refused = 0
        for path in (tmp_path / "f", tmp_path / "g", tmp_path / "open" / "fixed"):
            try:
                write(path)
            except PermissionError as error:
                refused += str(path) in str(error)
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert (tmp_path / "f").read_text() == (tmp_path / "open" / "fixed").read_text() == "old"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(("make", "words"), [
    (make_fifo, "a FIFO, not a regular file"), (make_socket, "a socket, not a regular file"),
    (Path.mkdir, "a folder, expected a file"),
    (lambda path: path.symlink_to("/dev/null"), "a device, not a regular file"),
    (lambda path: path.symlink_to(path.name), "too many|Too many"),
])
def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path, make, words: str) -> None:
    path = tmp_path / "f"
    make(path)
    before = path.lstat().st_mode
    with pytest.raises(OSError, match=words) as caught:
        write(path)
    assert str(path) in str(caught.value) and path.lstat().st_mode == before
    assert os.listdir(tmp_path) == ["f"] and stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("path", ["", "folder/", "missing/f", "f\0g"])
def test_paths_that_name_no_file(tmp_path: Path, monkeypatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((OSError, ValueError)), replacing(path) as stream:
        stream.write(b"x")
    assert os.listdir(tmp_path) == []


def test_links_stay_and_their_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/real")
    (tmp_path / "second").symlink_to("link")
    for content in (b"made through the link", b"replaced"):
        write(tmp_path / "second", content)
        assert (tmp_path / "there" / "real").read_bytes() == content
    assert (tmp_path / "link").is_symlink() and (tmp_path / "second").is_symlink()
    assert os.listdir(tmp_path / "there") == ["real"]


def test_an_interruption_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "f") as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert (tmp_path / "f").read_text() == "old" and os.listdir(tmp_path) == ["f"]
