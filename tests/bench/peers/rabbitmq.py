"""Debian's RabbitMQ, with an epmd of its own. The client is RabbitMQ's perf-test."""

import os
import pathlib
import re
import subprocess
import time

import kafka as maven  # tests/endtoend/kafka.py, which fetches jars
import processes

from .peer import BODY, Peer, debian_version

PERF_TEST = "2.22.1"
HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = pathlib.Path("/usr/lib/rabbitmq/bin")
STATISTICS_SECONDS = 6  # a queue reports its length every 5 s
NUMBER = r"(\d+) msg/s"
LATENCY = r"latency: (\d+)/(\d+)/(\d+)/(\d+)/(\d+) µs"


class RabbitMq(Peer):
    name = "RabbitMQ"
    settings = {"classic queue": "it is in an fsync'ed journal (a batch of them)",
                "quorum queue": "it is in an fdatasync'ed Raft log (of one node)"}
    cases = ("queue", "window1", "paced", "held")

    def missing(self):
        return "" if (SCRIPTS / "rabbitmq-server").exists() else "apt-get install rabbitmq-server"

    def version(self):
        return f"{debian_version('rabbitmq-server')}, perf-test {PERF_TEST}"

    def configure(self):
        self.has_queue = False
        self.jars = maven.jars(f"perf-test-{PERF_TEST}", HERE / "perf_test/pom.xml")
        self.epmd_port, distribution_port = processes.free_port(), processes.free_port()
        files = {"rabbitmq.conf": f"listeners.tcp.1 = 127.0.0.1:{self.port}\n", "plugins": "[].\n", "env.conf": ""}
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.environment = {
            "HOME": self.folder, "ERL_EPMD_PORT": self.epmd_port, "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "peers@localhost", "RABBITMQ_DIST_PORT": distribution_port,
            "RABBITMQ_CONF_ENV_FILE": self.folder / "env.conf", "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins", "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder / "log", "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "true"}  # the Erlang machine then replaces the script that starts it
        self.environment = {name: str(value) for name, value in self.environment.items()}

    def launch(self):
        self.begin(["/usr/bin/epmd", "-port", self.epmd_port, "-address", "127.0.0.1"])
        self.begin([SCRIPTS / "rabbitmq-server"], self.environment)

    def is_ready(self):
        """Also waits for the log lines: RabbitMQ accepts clients when classic queues have been recovered, and a quorum
        queue elects its leader after that."""
        said = self.running[-1].output()
        elected = "-> leader" in said or self.setting.startswith("classic") or not self.has_queue
        return super().is_ready() and "Server startup complete" in said and elected

    def perf_test(self, *words):
        self.has_queue = True
        quorum = ["--quorum-queue"] if self.setting.startswith("quorum") else []
        return self.run(["java", "-cp", f"{self.jars}/*", "com.rabbitmq.perf.PerfTest", "--queue", "held",
                         "--uri", f"amqp://127.0.0.1:{self.port}", "--auto-delete", "false", "--flag", "persistent",
                         "--size", BODY, *quorum, *words])

    def queue(self, seconds, window, rate=0):
        """Runs perf-test for twice the time and reports only its second interval, because perf-test has no warm-up."""
        pace = ["--rate", rate] if rate else []
        said = self.perf_test("--confirm", window, "--qos", window, "--interval", seconds, "--time", 2 * seconds + 1,
                              *pace)
        cold, warm = [line for line in said.splitlines() if "consumer latency" in line and "received: " in line][:2]
        first, rate = (int(re.search(f"received: {NUMBER}", line).group(1)) for line in (cold, warm))
        return {"messages": first * seconds + rate * (seconds + 1), "rate": rate,
                "confirm_ms": percentiles("confirm", warm), "deliver_ms": percentiles("consumer", warm)}

    def hold(self, count):
        self.perf_test("--consumers", 0, "--confirm", 1000, "--pmessages", count)

    def held(self):
        time.sleep(STATISTICS_SECONDS)
        done = subprocess.run([SCRIPTS / "rabbitmqctl", "--quiet", "list_queues", "messages", "--no-table-headers"],
                              capture_output=True, text=True, check=True, env={**os.environ, **self.environment})
        return int(done.stdout.split()[-1])


def percentiles(kind, line):
    """Returns the median and the 99th percentile in milliseconds."""
    found = re.search(f"{kind} {LATENCY}", line)
    return int(found.group(2)) / 1000, int(found.group(5)) / 1000
