"""Debian's Mosquitto: QoS 1 into a durable session. The client is peer_load, because Mosquitto has no load tool."""

import os
import pwd

from .loaded import Loaded
from .peer import debian_version

PROGRAM = "/usr/sbin/mosquitto"


class Mosquitto(Loaded):
    name = "Mosquitto"
    protocol = "mqtt"
    settings = {"autosave 1,800 s": "it is in memory; all is saved every half hour and at an orderly end",
                "autosave 1 s": "it is in memory; all is saved every second or two"}
    cases = ("queue", "window1", "paced", "held")

    def missing(self):
        return super().missing() if os.access(PROGRAM, os.X_OK) else "apt-get install mosquitto"

    def version(self):
        return debian_version("mosquitto")

    def configure(self):
        """Raises the default bounds of 20 messages under way and 1,000 waiting, with which Mosquitto would not do the
        same work as the other peers."""
        seconds = int(self.setting.split()[1].replace(",", ""))
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text(f"""listener {self.port} 127.0.0.1
allow_anonymous true
user {pwd.getpwuid(os.getuid()).pw_name}
set_tcp_nodelay true
persistence true
persistence_location {self.folder}/
autosave_interval {seconds}
max_inflight_messages 1000
max_queued_messages 0
sys_interval 1
""")

    def launch(self):
        self.begin([PROGRAM, "-c", self.config])

    def hold(self, count):
        """Creates the session again first: after kill -9 it may be gone, and without it no message is held."""
        self.make("held")
        super().hold(count)
