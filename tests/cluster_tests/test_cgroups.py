"""Control groups: reading what is mounted."""

from __future__ import annotations

from pathlib import Path

from cluster.cgroups import group_of, parse_mounts, weigh

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,release_agent=/lib/systemd/agent,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime,nsdelegate 0 0
proc /proc proc rw,relatime 0 0
"""

UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n"


def test_a_hybrid_machine_has_every_hierarchy_mounted_again_for_a_node() -> None:
    """A v1 hierarchy is mounted by its controllers, a named one by its name, v2 without options."""
    assert [hierarchy.mount_line for hierarchy in parse_mounts(HYBRID)] == [
        "cgroup cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct",
        "cgroup none,name=systemd /sys/fs/cgroup/systemd",
        "cgroup2 rw /sys/fs/cgroup/unified",
    ]


def test_a_unified_machine_has_one_hierarchy() -> None:
    """On cgroup v2 alone there is one mount, without controllers among its options."""
    assert [hierarchy.mount_line for hierarchy in parse_mounts(UNIFIED)] == ["cgroup2 rw /sys/fs/cgroup"]


def test_a_hierarchy_mounted_over_another_counts_once() -> None:
    """Only the topmost mount of a place can be seen."""
    assert len(parse_mounts(UNIFIED * 2)) == 1


def test_a_cluster_weighs_as_much_as_several_programs(tmp_path: Path) -> None:
    """In either version of control groups; a hierarchy without the processor is left alone."""
    (tmp_path / "cpu.shares").write_text("1024")
    weigh(tmp_path)
    assert (tmp_path / "cpu.shares").read_text() == "16384"
    assert not (tmp_path / "cpu.weight").exists()


def test_a_process_can_be_followed_into_all_its_groups(tmp_path: Path) -> None:
    """Controllers may be named in another order than they are mounted; where it is not, there is none."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text("5:pids:/a\n4:name=systemd:/a/b\n3:cpuacct,cpu:/a/c\n0::/a/d\n")
    assert [group_of(7, hierarchy, tmp_path) for hierarchy in parse_mounts(HYBRID)] == [
        Path("/sys/fs/cgroup/cpu,cpuacct/a/c"),
        Path("/sys/fs/cgroup/systemd/a/b"),
        Path("/sys/fs/cgroup/unified/a/d"),
    ]
    (memory,) = parse_mounts("cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n")
    assert group_of(7, memory, tmp_path) is None
