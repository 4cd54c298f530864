"""The cases to measure. Each function takes a ready peer without messages and returns the figures of one cell."""

import time

from . import tree

WINDOW = 1000
RATE = 1000      # messages a second of the paced case
WARM_SECONDS = 2
SETTLE_SECONDS = 10


def queue(peer, options):
    return cycle(peer, options.seconds, WINDOW)


def window1(peer, options):
    return cycle(peer, options.seconds, 1)


def paced(peer, options):
    return cycle(peer, options.seconds, WINDOW, RATE)


def cycle(peer, seconds, window, rate=0):
    peer.queue(WARM_SECONDS, window, rate)
    return metered(peer, lambda: peer.queue(seconds, window, rate))


def log(peer, options):
    peer.produce(WARM_SECONDS)
    return metered(peer, lambda: peer.produce(options.seconds))


def fetch(peer, options):
    peer.produce(options.seconds)
    return metered(peer, lambda: peer.fetch(options.seconds))


def metered(peer, load):
    with tree.Meter(peer.roots()) as meter:
        seen = load()
    millions = seen.pop("messages") / 1e6
    p50, p99 = seen.pop("confirm_ms", (None, None))
    deliver_p50, deliver_p99 = seen.pop("deliver_ms", (None, None))
    return {**seen, "confirm_p50_ms": p50, "confirm_p99_ms": p99, "deliver_p50_ms": deliver_p50,
            "deliver_p99_ms": deliver_p99, "cpu_seconds_per_million": meter.seconds / millions,
            "written_bytes_per_message": meter.written / millions / 1e6, "resident_mb": meter.resident / 1e6,
            "private_mb": meter.private / 1e6}


def held(peer, options):
    """Fills the peer, ends it, starts it and counts its messages: first with kill -9; then, filled up again, with an
    orderly stop."""
    count = options.held
    peer.hold(count)
    time.sleep(SETTLE_SECONDS)
    seen = {"private_full_mb": tree.private(peer.roots()) / 1e6}
    peer.kill()
    seen["ready_after_kill_s"] = peer.start()
    left = peer.held()
    seen["held_after_kill"] = left
    if left < count:
        peer.hold(count - left)
    seen["stop_s"] = peer.stop()
    seen["ready_after_stop_s"] = peer.start()
    seen["held_after_stop"] = peer.held()
    return {**seen, "private_again_mb": tree.private(peer.roots()) / 1e6}


# Cases that run only in the first round: they take long, and short disturbances do not change their figures.
ONCE = ("held",)
# name: (function, bytes of each write in the raw disk's measurement beside it, title)
CASES = {
    "queue": (queue, 100 * WINDOW, f"Queue: publish, deliver, acknowledge; window and prefetch {WINDOW:,}"),
    "window1": (window1, 100, "Queue: publish, deliver, acknowledge; one message under way"),
    "paced": (paced, 100, f"Queue at {RATE:,} messages a second: latency"),
    "log": (log, 100_000, "Log: produced in batches"),
    "fetch": (fetch, 100_000, "Log: fetched"),
    "held": (held, 100_000, "A backlog held: memory, and time to ready"),
}
