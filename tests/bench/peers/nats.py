"""Debian's NATS with JetStream in files. The client is peer_load, because `nats bench` does not measure latency."""

import shutil
import subprocess

from .loaded import Loaded
from .peer import debian_version


class Nats(Loaded):
    name = "NATS JetStream"
    protocol = "nats"
    settings = {"default": "it is in the page cache, synced every 2 minutes",
                "sync always": "it is in a synced file"}
    cases = ("queue", "window1", "paced", "log", "fetch", "held")
    SYNC = {"default": "", "sync always": "sync_interval: always"}

    def missing(self):
        if not shutil.which("nats-server"):
            return "apt-get install nats-server"
        if super().missing():
            return super().missing()
        done = subprocess.run(["nats-server", "-t", "-c", "/dev/stdin"], capture_output=True, text=True, check=False,
                              input=f"jetstream {{ {self.SYNC[self.setting]} }}")
        return "" if done.returncode == 0 else f"{debian_version('nats-server')} has no such setting"

    def version(self):
        return debian_version("nats-server")

    def configure(self):
        self.config = self.folder / "nats.conf"
        self.config.write_text(f"""listen: "127.0.0.1:{self.port}"
jetstream {{ store_dir: "{self.folder}/jetstream", max_mem: 64M, max_file: 4G, {self.SYNC[self.setting]} }}
""")

    def launch(self):
        self.begin(["nats-server", "-c", self.config])

    def is_ready(self):
        """Also waits for the log line, which shows that the streams have been recovered."""
        return super().is_ready() and "Server is ready" in self.running[-1].output()
