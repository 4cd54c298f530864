"""Starts a broker for a benchmark, with a store of its own on the disk to be measured."""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import processes  # noqa: E402

CONFIG = """\
[store]
path = "{home}/store"
bytes_max = {bytes_max}
[native]
listen = "127.0.0.1:{port}"
"""


def private_kib(pid):
    """Returns (private, store) of a broker in KiB. Private is the heap and the process's own pages of the program and
    the libraries. Store is the pages of the store's map: they are the kernel's cache, which is released when something
    else needs the memory."""
    own, store, is_store = 0, 0, False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        fields = line.split()
        if "-" in fields[0] and not fields[0].endswith(":"):
            is_store = line.endswith(("data.mdb", "journal.ring"))
        elif fields[0] in ("Private_Clean:", "Private_Dirty:"):
            own, store = own + (0 if is_store else int(fields[1])), store + (int(fields[1]) if is_store else 0)
    return own, store


class Gateway:
    def __init__(self, build, directory, bytes_max=1 << 30, declared=""):
        """Starts the broker and returns when it is ready. `declared`: configuration that declares queues and topics."""
        self.folder = tempfile.TemporaryDirectory(prefix="gateway-", dir=directory)
        home, port = pathlib.Path(self.folder.name), processes.free_port()
        config = home / "broker.toml"
        config.write_text(CONFIG.format(home=home, port=port, bytes_max=bytes_max) + declared)
        self.tool = [str(build / "client/tidegate"), "--broker", f"127.0.0.1:{port}"]
        self.broker = subprocess.Popen([str(build / "broker/main/tidegate-broker"), "--config", str(config)],
                                       stderr=subprocess.PIPE, text=True)
        if not any(" ready: " in line for line in self.broker.stderr):
            raise RuntimeError("the broker ended before it was ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def publish(self, key, count, *settings):
        subprocess.run([*self.tool, "publish", "--key", key, "--count", str(count), *map(str, settings)], check=True,
                       capture_output=True)

    def bench(self, *settings):
        """Runs `tidegate bench` and returns its JSON as an object."""
        done = subprocess.run([*self.tool, "--json", "bench", *map(str, settings)], check=True, stdout=subprocess.PIPE,
                              text=True)
        return json.loads(done.stdout)

    def end(self):
        self.broker.kill()
        self.broker.wait()
        self.folder.cleanup()
