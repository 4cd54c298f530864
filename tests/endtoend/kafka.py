"""A real Kafka, one node in KRaft mode on the loopback, to be stopped, frozen, killed and started again by tests.

Maven fetches its jars once into $TIDEGATE_CACHE (~/.cache/tidegate); from then on no network is needed.
"""

import base64
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import processes

VERSION = "3.9.1"
COPY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
HERE = Path(__file__).resolve().parent / "kafka"
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configuration=file:{HERE}/log4j.properties"]

# What Maven says when the way to Maven Central is missing, rather than anything of ours being wrong.
UNREACHABLE = ("Unknown host", "Name or service not known", "Temporary failure in name resolution",
               "Connection refused", "Connection timed out", "Connect timed out", "Read timed out",
               "Network is unreachable", "No route to host", "Connection reset")


class Unreachable(Exception):
    """Maven Central cannot be reached, and the jars are not in the cache."""


def jars(name=f"kafka-{VERSION}", pom=HERE / "pom.xml"):
    """The folder with the jars of a pom, by default Kafka's, fetched if it is not there yet."""
    cache = Path(os.environ.get("TIDEGATE_CACHE", Path.home() / ".cache" / "tidegate"))
    folder = cache / name
    if folder.exists():
        return folder
    fresh = cache / f"{name}.{os.getpid()}"
    print(f"fetching {name} with Maven into {folder}", flush=True)
    result = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", "--file", pom, f"{COPY_PLUGIN}:copy-dependencies",
         "-DincludeScope=runtime", f"-DoutputDirectory={fresh}", "-Dstyle.color=never"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False)
    if result.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        for words in UNREACHABLE:
            if words in result.stdout:
                raise Unreachable(words)
        raise processes.Trouble(f"Maven could not fetch {name}:\n{result.stdout}")
    try:
        fresh.rename(folder)  # at once: a folder that is there is complete
    except OSError:           # another run was first
        shutil.rmtree(fresh)
    return folder


class Kafka:
    """A broker with its data in `folder`. The same port and data over all its lives."""

    def __init__(self, desk, jar_folder):
        self.classpath = f"{jar_folder}/*"
        self.desk = desk
        self.folder = desk.folder / "kafka"
        self.folder.mkdir()
        self.port, controller_port = processes.free_port(), processes.free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.settings = self.folder / "server.properties"
        self.settings.write_text(settings(self.port, controller_port, self.folder / "data"))
        self.tool("kafka.tools.StorageTool", "format", "--config", self.settings, cluster())
        self.process = desk.make("kafka", [*JAVA, "-Xmx512m", "-cp", self.classpath, "kafka.Kafka", self.settings])

    def tool(self, name, *arguments):
        """Runs one of Kafka's own tools to its end."""
        result = self.desk.run([*JAVA, "-Xmx128m", "-cp", self.classpath, name, *arguments])
        if result.returncode != 0:
            raise processes.Trouble(f"{name} {arguments}: {result.stdout}{result.stderr}")
        return result.stdout

    def start(self):
        """Starts it and waits until it serves."""
        self.process.start()
        self.process.wait_output("Kafka Server started", 90)
        return self

    def stop(self):
        """An orderly end. Kafka answers SIGTERM with 143 when it has closed its logs."""
        assert self.process.terminate(60) in (143, -15)

    def create_topic(self, name, partitions, *settings_of_it):
        """`settings_of_it` are like "retention.ms=1000"."""
        self.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.brokers, "--create",
                  "--topic", name, "--partitions", partitions, "--replication-factor", 1,
                  *(word for setting in settings_of_it for word in ("--config", setting)))

    def records(self, topic, idle_seconds=5):
        """All records of a topic in each partition's order, as tidegate-kafka-dump prints them: dicts."""
        result = self.desk.run([processes.program("tidegate-kafka-dump"), "--brokers", self.brokers, "--topic", topic,
                                "--idle-seconds", idle_seconds, "--json"], seconds=300)
        if result.returncode != 0:
            raise processes.Trouble(f"tidegate-kafka-dump ended with {result.returncode}: {result.stderr}")
        return [json.loads(line) for line in result.stdout.splitlines()]


def cluster():
    """A new id as an option. In one word, since it may begin with a hyphen."""
    return "--cluster-id=" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def settings(port, controller_port, data):
    """One node that is broker and controller, with every internal topic as small as it can be. After a kill the node
    waits until its own earlier session has expired: 9 s by default."""
    return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
