"""A real Kafka, one node with acks=all, with the heap of its own start script. The clients are Kafka's own, except at a
rate: there it is peer_load, because Kafka's clients do not report the time to deliver."""

import re

import kafka as endtoend  # tests/endtoend/kafka.py: jars and settings of one node
import processes

from .loaded import Loaded
from .peer import BODY

HEAP = ["-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]
TOOL_HEAP = ["-Xmx512m"]  # as in kafka-producer-perf-test.sh
BATCH = ["batch.size=110000", "linger.ms=5"]  # 1,000 records of 100 bytes, as Tidegate's; 5 batches under way
WARM_RECORDS = 200_000
SAID = r"records sent, ([\d.]+) records/sec .* 99th"


class Kafka(Loaded):
    name = "Kafka"
    protocol = "kafka"
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
        """Also waits for the log line: Kafka accepts connections before it may lead its partitions."""
        return super().is_ready() and "Kafka Server started" in self.running[-1].output()

    def make(self, case):
        self.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.address(), "--create",
                  "--topic", "held", "--partitions", 1, "--replication-factor", 1)

    def address(self):
        return f"127.0.0.1:{self.port}"

    def send(self, records):
        """Produces the records and returns the rate in records a second."""
        said = self.tool("org.apache.kafka.tools.ProducerPerformance", "--topic", "held", "--num-records", records,
                         "--record-size", BODY, "--throughput", -1, "--producer-props",
                         f"bootstrap.servers={self.address()}", "acks=all", *BATCH)
        return float(re.search(SAID, said.splitlines()[-1]).group(1))

    def produce(self, seconds):
        """Produces as many records as fill the time, by the rate of a first run, which is not reported."""
        self.records = int(self.send(WARM_RECORDS) * seconds)
        return {"messages": WARM_RECORDS + self.records, "rate": self.send(self.records)}

    def fetch(self, _seconds):
        """Fetches the records of produce() once. The rate is that of fetching, after the group has its partition."""
        said = self.tool("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", self.address(),
                         "--topic", "held", "--messages", self.records, "--hide-header")
        columns = said.splitlines()[-1].split(",")
        return {"messages": int(columns[4]), "rate": float(columns[9])}

    def hold(self, count):
        self.send(count)

    def held(self):
        said = self.tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", self.address(),
                         "--topic", "held")
        return int(said.split(":")[-1])
