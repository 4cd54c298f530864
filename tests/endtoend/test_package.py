"""The installed package, used as by another project: each example, alone in an empty folder, finds Tidegate, builds,
and works with a broker."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import gateway
import processes

BUILD = Path(os.environ.get("TIDEGATE_BUILD", processes.TOP / "build" / "release"))
BUILD_SECONDS = 300


def finish(*command):
    """Runs a command to its end. If the command fails, raises Trouble with its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=BUILD_SECONDS,
                          check=False)
    if done.returncode != 0:
        raise processes.Trouble(f"{command}: {done.stdout}{done.stderr}")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with the installed package, in its subfolder `installed`."""
    folder = tmp_path_factory.mktemp("package")
    finish("cmake", "--install", BUILD, "--component", "development", "--prefix", folder / "installed")
    return folder


@pytest.fixture(scope="module")
def built(package):
    """built(name) builds an example as a project of its own and returns the path of its program."""
    def build(name):
        folder = package / name
        shutil.copytree(processes.TOP / "examples" / name, folder)
        finish("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build",
               f"-DCMAKE_PREFIX_PATH={package / 'installed'}")
        finish("cmake", "--build", folder / "build")
        return folder / "build" / name
    return build


def test_a_device_and_a_worker_of_their_own_projects_work_together(desk, built):
    device, worker = built("device"), built("worker")
    broker = gateway.Broker(desk).start()
    sent = desk.run([device, "127.0.0.1", broker.port])
    assert (sent.returncode, sent.stdout) == (0, "5 published, 5 on flash at the gateway\n")
    worked = desk.run([worker, 5, broker.address])
    assert worked.returncode == 0, worked
    assert worked.stdout.splitlines() == [f"sensors.hall: {28 + i}.5" for i in range(5)]
    tool = [processes.program("tidegate"), "--broker", broker.address]
    alarms = desk.run([*tool, "consume", "alarms", "--count", 3, "--raw"])
    assert alarms.stdout.split() == ["30.5", "31.5", "32.5"], alarms
    left = desk.run([*tool, "consume", "work", "--idle-seconds", 1, "--raw"])
    assert left.stdout == "", "the worker left a reading without an acknowledgement"


def test_a_worker_without_a_broker_says_what_is_missing(desk):
    worked = desk.run([processes.program("worker"), 1, f"127.0.0.1:{processes.free_port()}"])
    assert worked.returncode == 1
    assert "Connection refused" in worked.stderr


def test_a_component_that_does_not_exist_is_named(package):
    project = package / "stranger"
    project.mkdir()
    (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(stranger)\n"
                                            "find_package(Tidegate REQUIRED COMPONENTS kafka)\n")
    with pytest.raises(processes.Trouble, match="no component kafka, only client and device"):
        finish("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={package / 'installed'}")
