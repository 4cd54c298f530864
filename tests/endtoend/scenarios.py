"""Scenarios that RabbitMQ and Tidegate play side by side (test_rabbitmq.py).

A scenario calls one side (rabbitmq.py has the calls) and notes what it sees. Names of exchanges and queues are the
scenario's own, because all scenarios share the two brokers.
"""

import rabbitmq

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


class Notes:
    """What a scenario sees on one side."""

    def __init__(self, side, other):
        self.side, self.other, self.seen = side, other, []

    def see(self, what):
        self.seen.append(what)
        return what

    def refusal(self, call, *fields, **named):
        """Notes how a request is refused, or that it is not."""
        try:
            call(*fields, **named)
        except rabbitmq.Refused as refused:
            return self.see(f"refused: {refused}")
        return self.see("accepted")

    def bodies(self, deliveries):
        """Notes bodies and whether they are redelivered; tags differ."""
        self.see([one if isinstance(one, str) else one[:2] for one in deliveries])
        return [None if isinstance(one, str) else one[2] for one in deliveries]

    def drain(self, queue):
        """Notes everything that is ready in a queue, in order."""
        taken = []
        while (got := self.side.get(queue, auto_ack=True)) is not None:
            taken.append(got[:2])
        self.see(taken)

    def fill(self, queue, *bodies):
        for body in bodies:
            self.see(self.side.publish("", queue, body))
