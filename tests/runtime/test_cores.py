"""What the machine leaves to a process: made-up folders of the system."""

import math
import os

import pytest

from fastnn.runtime import cores

V2 = "31 23 0:28 {root} {mount} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "33 31 0:30 {root} {mount} rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
OTHER = "34 31 0:31 / /nowhere rw - cgroup cgroup rw,memory\n30 23 0:27 / / rw - ext4 /dev/x rw\n"


class System:
    """A process folder and one mounted hierarchy."""

    def __init__(self, folder, line, membership, root="/"):
        self.process, self.mount = folder / "self", folder / "mount"
        self.process.mkdir()
        self.mount.mkdir()
        (self.process / "cgroup").write_text(f"9:memory:/far/away\n{membership}\n")
        (self.process / "mountinfo").write_text(OTHER + line.format(root=root, mount=self.mount))

    def group(self, path, **files):
        folder = self.mount / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)

    def quota(self):
        return cores.cpu_quota(self.process)


@pytest.mark.parametrize(("text", "expected"), [
    ("150000 100000", 1.5), ("400000 100000", 4), ("50000 100000", 0.5), ("max 100000", math.inf),
    ("garbage", math.inf), ("", math.inf), ("1 0", math.inf)])
def test_version_2(tmp_path, text, expected):
    system = System(tmp_path, V2, "0::/")
    system.group("", cpu__max=text)
    assert system.quota() == expected


def test_a_group_is_bound_by_those_around_it(tmp_path):
    system = System(tmp_path, V2, "0::/a.slice/b/c")
    system.group("a.slice", cpu__max="200000 100000")
    system.group("a.slice/b", cpu__max="300000 100000")
    system.group("a.slice/b/c", cpu__max="max 100000")
    system.group("a.slice/other", cpu__max="100000 100000")
    assert system.quota() == 2


def test_version_1(tmp_path):
    system = System(tmp_path, V1, "4:cpu,cpuacct:/job/step")
    system.group("", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert system.quota() == math.inf
    system.group("job/step", cpu__cfs_quota_us="250000\n", cpu__cfs_period_us="100000\n")
    assert system.quota() == 2.5
    system.group("job", cpu__cfs_quota_us="100000\n", cpu__cfs_period_us="50000\n")
    assert system.quota() == 2


@pytest.mark.parametrize(("path", "root"), [
    ("/docker/12/inner", "/docker/12"),  # a container that sees the host's paths
    ("/inner", "/"),
])
def test_mounts_of_a_part(tmp_path, path, root):
    system = System(tmp_path, V2, f"0::{path}", root)
    system.group("inner", cpu__max="300000 100000")
    assert system.quota() == 3


@pytest.mark.parametrize(("path", "root"), [("/docker/12", "/docker/123"), ("/../..", "/"),
                                            ("/gone", "/")])
def test_paths_that_lead_elsewhere_fall_back_to_the_mount(tmp_path, path, root):
    system = System(tmp_path, V2, f"0::{path}", root)
    system.group("", cpu__max="300000 100000")
    assert system.quota() == 3


def test_without_groups(tmp_path):
    assert cores.cpu_quota(tmp_path) == math.inf


def test_hyper_threads_count_once(tmp_path):
    for processor, siblings in enumerate(("0,4", "1,5", "2,6", "3,7") * 2):
        folder = tmp_path / f"cpu{processor}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert cores.physical_cores(range(8), tmp_path) == 4
    assert cores.physical_cores([0, 4], tmp_path) == 1
    assert cores.physical_cores([0, 5, 6], tmp_path) == 3
    assert cores.physical_cores([0, 4, 8, 9], tmp_path) == 3, "8 and 9 are unknown"


@pytest.mark.parametrize(("cpus", "quota", "expected"), [
    (8, math.inf, 8), (8, 2.5, 2), (8, 0.5, 1), (1, 16.0, 1)])
def test_the_least_of_all(monkeypatch, cpus, quota, expected):
    monkeypatch.setattr(cores, "physical_cores", lambda processors: cpus)
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert cores.available_cores() == expected


def test_this_machine():
    assert 1 <= cores.available_cores() <= os.cpu_count()
