"""The command: reads the options, selects the peers, runs them and prints the tables."""

import argparse
import json
import pathlib
import signal
import sys

from . import kafka, mosquitto, nats, rabbitmq, report, runner, tidegate
from .cases import CASES

TOP = pathlib.Path(__file__).resolve().parents[3]
PEERS = {"tidegate": tidegate.Tidegate, "rabbitmq": rabbitmq.RabbitMq, "nats": nats.Nats,
         "mosquitto": mosquitto.Mosquitto, "kafka": kafka.Kafka}
QUICK = {"seconds": 3, "held": 20_000, "rounds": 1}
FULL = {"seconds": 10, "held": 1_000_000, "rounds": 3}


def options():
    parser = argparse.ArgumentParser(
        prog="tests/bench/peers.sh", description="Measures Tidegate beside other brokers: the same work in one run, "
        "alternating; every cell with a fresh server in an empty folder.")
    parser.add_argument("--only", default="", help="of " + ",".join(list(PEERS)[1:]) + "; ours is always there")
    parser.add_argument("--cases", default=",".join(CASES), help="of " + ",".join(CASES))
    parser.add_argument("--rounds", type=int,
                        help=f"each a run of all but the backlog, which is done once; default {FULL['rounds']}")
    parser.add_argument("--seconds", type=int, help=f"of a measured load; default {FULL['seconds']}")
    parser.add_argument("--held", type=int, help=f"messages of the backlog; default {FULL['held']:,}")
    parser.add_argument("--quick", action="store_true", help="one short round, to see whether everything works")
    parser.add_argument("--directory", type=pathlib.Path, default=".", help="on the disk to be measured; default .")
    parser.add_argument("--build", type=pathlib.Path, default=TOP / "build/release", help="default build/release")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all cells of all rounds, and what was seen")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/figures/benchmarks.md")
    given = parser.parse_args()
    for name, value in (QUICK if given.quick else FULL).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    given.build, given.directory = given.build.resolve(), given.directory.resolve()
    given.cases = chosen(parser, given.cases, CASES)
    given.only = chosen(parser, given.only, PEERS) or list(PEERS)
    return given


def chosen(parser, words, known):
    names = [name for name in words.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    return names


def main():
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends the servers as well
    classes = [kind for name, kind in PEERS.items() if name == "tidegate" or name in given.only]
    taking_part = [(kind, setting) for kind in classes for setting in kind.settings]
    seen = runner.run(given, taking_part)
    text = report.text(seen)
    print(text)
    if given.json:
        given.json.write_text(json.dumps(seen, indent=1) + "\n")
    if given.write:
        report.write(TOP / "docs/figures/benchmarks.md", text)
    return 1 if seen["failures"] else 0


sys.exit(main())
