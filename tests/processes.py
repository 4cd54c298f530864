"""Runs programs under test as processes: starts, freezes, kills and waits for them, and ends all of them with the test.

Each test gets a `Desk` (fixture `desk` in conftest.py). Each process writes to a log file of its own in the test's
folder. If the test fails, its report shows the ends of these logs.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LOG_LINES_SHOWN = 40
PR_SET_PDEATHSIG = 1


class Trouble(AssertionError):
    """Raised if a process did not do what the test needs."""


def wait_until(condition, seconds, what, pause=0.05):
    """Calls condition() every `pause` seconds and returns its first true value. Raises Trouble after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Trouble(f"waited {seconds} s for {what}")
        time.sleep(pause)


def free_port():
    """Returns a loopback port on which nobody listens. The port is outside the range from which the kernel gives ports
    to connections, so that it stays free while its listener is down."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        if port in free_port.given:
            continue
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                free_port.given.add(port)
                return port
    raise Trouble("no free port on the loopback")


free_port.given = set()


def program(name):
    """Returns the path of a built program in the folder TIDEGATE_BUILD (default build/release)."""
    build = Path(os.environ.get("TIDEGATE_BUILD", TOP / "build" / "release"))
    found = [path for path in sorted(build.rglob(name)) if path.is_file() and os.access(path, os.X_OK)]
    if not found:
        raise Trouble(f"{build} holds no program {name}: build it first")
    return str(found[0])


class Process:
    """One process, which may be ended and started again with the same command line. All runs append to one log."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = Path(log)
        self.environment = {**os.environ, **(environment or {})}
        self.running = None

    def start(self, **streams):
        """Starts the process. Call from the main thread only: the process is killed when the thread that started it
        ends."""
        assert self.running is None or self.running.poll() is not None, f"{self.name} runs already"
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.running = subprocess.Popen(
                self.command, **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams},
                env=self.environment, cwd=self.log.parent, preexec_fn=die_with_parent)
        return self

    def output(self):
        """Returns what the present run has written so far."""
        with open(self.log, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def is_alive(self):
        return self.running is not None and self.running.poll() is None

    def wait_output(self, text, seconds=30):
        """Waits until the output of the present run matches the pattern `text`."""
        def has_written():
            if re.search(text, self.output()):
                return True
            if not self.is_alive():
                raise Trouble(f"{self.name} ended with code {self.running.returncode} before it wrote {text!r}:\n"
                              f"{self.output()}")
            return False
        wait_until(has_written, seconds, f"{text!r} from {self.name}")

    def wait_end(self, seconds=30):
        """Waits for the end and returns the exit code, or the negative number of the signal that ended the process."""
        try:
            return self.running.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{self.name} did not end within {seconds} s") from None

    def send(self, which):
        self.running.send_signal(which)

    def kill(self):
        """Kills the process, which cannot react: it ends as in a power cut."""
        self.send(signal.SIGKILL)
        self.running.wait()

    def terminate(self, seconds=30):
        """Sends SIGTERM and returns the exit code."""
        self.send(signal.SIGTERM)
        return self.wait_end(seconds)

    def freeze(self):
        """Stops the process and returns when all threads are stopped: each runs until it has handled the signal."""
        self.send(signal.SIGSTOP)
        wait_until(lambda: set(self.thread_states()) <= {"T"}, 10, f"{self.name} to stand still", pause=0.001)

    def thaw(self):
        self.send(signal.SIGCONT)

    def thread_states(self):
        """Yields each thread's state as in proc(5): R running, S sleeping, T stopped."""
        for task in Path(f"/proc/{self.running.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
                yield (task / "stat").read_text().rpartition(")")[2].split()[0]

    def end(self):
        if self.is_alive():
            self.kill()


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Desk:
    """The processes that one test has started, and the test's folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.processes = []

    def make(self, name, command, environment=None):
        """Returns a process that is not started yet."""
        process = Process(name, command, self.folder / f"{name}.log", environment)
        self.processes.append(process)
        return process

    def start(self, name, command, environment=None):
        return self.make(name, command, environment).start()

    def run(self, command, seconds=60, stdin=None):
        """Runs a command to its end and returns its exit code, stdout and stderr as text."""
        return subprocess.run([str(word) for word in command], input=stdin, capture_output=True, text=True,
                              timeout=seconds, cwd=self.folder, preexec_fn=die_with_parent, check=False)

    def close(self):
        for process in reversed(self.processes):
            process.end()

    def last_words(self):
        """Returns the ends of all logs, for the report of a failed test."""
        parts = []
        for process in self.processes:
            if process.log.exists():
                lines = process.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                parts.append("\n".join([f"---- the end of {process.log}", *lines]))
        return "\n".join(parts)
