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
