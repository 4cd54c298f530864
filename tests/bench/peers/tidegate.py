"""Tidegate itself, from the build of this tree. The client is `tidegate bench`."""

import json
import os
import pathlib
import subprocess

from .peer import BODY, Peer

CONFIG = """\
[store]
path = "{folder}/store"
bytes_max = "1G"
[native]
listen = "127.0.0.1:{port}"
[[queue]]
name = "held"
"""
WINDOW_OF_BATCHES = 5  # Kafka's producer has the same number under way


class Tidegate(Peer):
    name = "Tidegate"
    settings = {"default": "it is in a synced commit"}
    cases = ("queue", "window1", "paced", "log", "fetch", "held")

    def missing(self):
        absent = [path for path in (self.broker(), self.tool()) if not os.access(path, os.X_OK)]
        return f"build {absent[0]}" if absent else ""

    def broker(self):
        return self.options.build / "broker/main/tidegate-broker"

    def tool(self):
        return self.options.build / "client/tidegate"

    def version(self):
        here = pathlib.Path(__file__).parent
        done = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                              check=False)
        return f"of this tree, {done.stdout.strip()}"

    def configure(self):
        self.config = self.folder / "broker.toml"
        self.config.write_text(CONFIG.format(folder=self.folder, port=self.port))

    def launch(self):
        self.begin([self.broker(), "--config", self.config])

    def ask(self, *words):
        return json.loads(self.run([self.tool(), "--broker", f"127.0.0.1:{self.port}", "--json", *words]))

    def bench(self, kind, *words):
        return self.ask("bench", kind, "--size", BODY, *words)

    def queue(self, seconds, window, rate=0):
        pace = ["--rate", rate] if rate else []
        seen = self.bench("queue", "--seconds", seconds, "--window", window, "--prefetch", window, *pace)
        rates, latency = seen["rates"]["queue"], seen["latency_ms"]["queue"]
        return {"messages": rates["delivered"]["total"], "rate": rates["acknowledged"]["per_second"],
                "confirm_ms": percentiles(latency["publish_to_confirm"]),
                "deliver_ms": percentiles(latency["publish_to_deliver"])}

    def produce(self, seconds):
        seen = self.bench("topic", "--seconds", seconds, "--window", WINDOW_OF_BATCHES, "--keep")
        self.topic = seen["left"][0].split()[-1]
        rates = seen["rates"]["topic"]["confirmed"]
        return {"messages": rates["total"], "rate": rates["per_second"]}

    def fetch(self, seconds):
        rates = self.bench("fetch", "--seconds", seconds, "--topic", self.topic)["rates"]["topic"]["delivered"]
        return {"messages": rates["total"], "rate": rates["per_second"]}

    def hold(self, count):
        self.ask("publish", "--key", "held", "--count", count, "--size", BODY, "--window", 1000)

    def held(self):
        return next(queue["ready"] for queue in self.ask("list", "queues") if queue["name"] == "held")


def percentiles(latency):
    return latency["p50"], latency["p99"]
