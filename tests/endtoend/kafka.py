"""Runs a real Kafka for tests: one node in KRaft mode on the loopback, which tests stop, freeze, kill and start again.

Maven fetches Kafka's jars once into $TIDEGATE_CACHE (~/.cache/tidegate); after that no network is needed.
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

# Messages of Maven which show that Maven Central cannot be reached. With any other message the test fails.
UNREACHABLE = ("Unknown host", "Name or service not known", "Temporary failure in name resolution",
               "Connection refused", "Connection timed out", "Connect timed out", "Read timed out",
               "Network is unreachable", "No route to host", "Connection reset")


class Unreachable(Exception):
    """Raised if Maven Central cannot be reached and the jars are not in the cache."""


def jars(name=f"kafka-{VERSION}", pom=HERE / "pom.xml"):
    """Returns the folder with the jars of a pom, by default Kafka's. Fetches the jars if there is no folder yet."""
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
        fresh.rename(folder)  # only now, so that a folder of this name is always complete
    except OSError:           # another run was first
        shutil.rmtree(fresh)
    return folder


class Kafka:
    """A Kafka broker with its data in `folder`. Port and data stay the same when it is started again."""

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
        """Runs one of Kafka's own tools to its end and returns its output."""
        result = self.desk.run([*JAVA, "-Xmx128m", "-cp", self.classpath, name, *arguments])
        if result.returncode != 0:
            raise processes.Trouble(f"{name} {arguments}: {result.stdout}{result.stderr}")
        return result.stdout

    def start(self):
        """Starts Kafka and waits until it serves clients."""
        self.process.start()
        self.process.wait_output("Kafka Server started", 90)
        return self

    def stop(self):
        """Stops Kafka in an orderly way: after SIGTERM it closes its logs and exits with code 143."""
        assert self.process.terminate(60) in (143, -15)

    def create_topic(self, name, partitions, *settings_of_it):
        """Creates a topic. `settings_of_it`: settings of the topic, such as "retention.ms=1000"."""
        self.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.brokers, "--create",
                  "--topic", name, "--partitions", partitions, "--replication-factor", 1,
                  *(word for setting in settings_of_it for word in ("--config", setting)))

    def records(self, topic, idle_seconds=5):
        """Returns all records of a topic, in order within each partition, as dicts of tidegate-kafka-dump's JSON."""
        result = self.desk.run([processes.program("tidegate-kafka-dump"), "--brokers", self.brokers, "--topic", topic,
                                "--idle-seconds", idle_seconds, "--json"], seconds=300)
        if result.returncode != 0:
            raise processes.Trouble(f"tidegate-kafka-dump ended with {result.returncode}: {result.stderr}")
        return [json.loads(line) for line in result.stdout.splitlines()]


def cluster():
    """Returns a new cluster id as an option. The option is one word, because the id may start with a hyphen."""
    return "--cluster-id=" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def settings(port, controller_port, data):
    """Returns the settings of one node that is broker and controller, with every internal topic as small as possible.
    After a kill the node waits until its own earlier session has expired: 9 s by default, 3 s here."""
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
