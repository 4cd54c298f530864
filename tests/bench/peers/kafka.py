"""A real Kafka, one node with acks=all, on the heap that its own start script gives it. The clients are Kafka's own."""

import re

import kafka as endtoend  # tests/endtoend/kafka.py: jars and settings of one node
import processes

from .peer import BODY, Peer

HEAP = ["-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]
TOOL_HEAP = ["-Xmx512m"]  # of kafka-producer-perf-test.sh
BATCH = ["batch.size=110000", "linger.ms=5"]  # 1,000 records of 100 bytes, as Tidegate's; 5 of them under way
WARM_RECORDS = 200_000
SAID = r"(\d+) records sent, ([\d.]+) records/sec .* (\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th"


class Kafka(Peer):
    name = "Kafka"
    settings = {"default": "it is in the page cache",
                "flush.interval.messages=1": "it is in a synced log segment"}
    cases = ("paced", "log", "fetch", "held")

    def version(self):
        return f"{endtoend.VERSION} of Maven Central"

    def configure(self):
        self.jars = endtoend.jars()
        self.config = self.folder / "server.properties"
        text = endtoend.settings(self.port, processes.free_port(), self.folder / "data")
        if self.setting != "default":
            text += "log.flush.interval.messages=1\n"
        self.config.write_text(text)
        self.tool("kafka.tools.StorageTool", "format", "--config", self.config, endtoend.cluster())

    def tool(self, *words):
        return self.run(["java", *TOOL_HEAP, "-cp", f"{self.jars}/*", *words])

    def launch(self):
        log = f"-Dlog4j.configuration=file:{endtoend.HERE}/log4j.properties"
        self.begin(["java", *HEAP, log, "-cp", f"{self.jars}/*", "kafka.Kafka", self.config])

    def is_ready(self):
        """It takes connections before it may lead its partitions."""
        return super().is_ready() and "Kafka Server started" in self.running[-1].output()

    def make(self, case):
        self.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.address(), "--create",
                  "--topic", "held", "--partitions", 1, "--replication-factor", 1)

    def address(self):
        return f"127.0.0.1:{self.port}"

    def send(self, records, rate, *properties):
        """(records a second, (p50, p99) in whole milliseconds)"""
        said = self.tool("org.apache.kafka.tools.ProducerPerformance", "--topic", "held", "--num-records",
                         records, "--record-size", BODY, "--throughput", rate, "--producer-props",
                         f"bootstrap.servers={self.address()}", "acks=all", *properties)
        found = re.search(SAID, said.splitlines()[-1])
        return float(found.group(2)), (int(found.group(3)), int(found.group(4)))

    def queue(self, seconds, window, rate=0):
        """A log is no queue: only paced, and only what the producer sees."""
        sent, latency = self.send(seconds * rate, rate, "linger.ms=0")
        return {"messages": seconds * rate, "rate": sent, "confirm_ms": latency}

    def produce(self, seconds):
        """As many records as fill the time, by the rate of a first run, which is not counted."""
        warm, _ = self.send(WARM_RECORDS, -1, *BATCH)
        self.records = int(warm * seconds)
        rate, _ = self.send(self.records, -1, *BATCH)
        return {"messages": WARM_RECORDS + self.records, "rate": rate}

    def fetch(self, _seconds):
        """Once through what was written. The rate is that of fetching, after the group has its partition."""
        said = self.tool("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", self.address(),
                         "--topic", "held", "--messages", self.records, "--hide-header")
        columns = said.splitlines()[-1].split(",")
        return {"messages": int(columns[4]), "rate": float(columns[9])}

    def hold(self, count):
        self.send(count, -1, *BATCH)

    def held(self):
        said = self.tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", self.address(),
                         "--topic", "held")
        return int(said.split(":")[-1])
