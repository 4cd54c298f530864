"""Side by side with a real RabbitMQ: each scenario is played on both, and both have to show the same."""

import pytest

import gateway
import processes
import rabbitmq
import scenarios
import scenarios_of_exchanges  # noqa: F401
import scenarios_of_lives  # noqa: F401
import scenarios_of_queues  # noqa: F401


@pytest.fixture(scope="module")
def both(tmp_path_factory, link_pb2):
    """both() opens a connection to each broker, RabbitMQ first."""
    missing = rabbitmq.missing()
    if missing:
        pytest.fail(f"{missing} is not installed: toolchains/setup.sh tests")
    desk = processes.Desk(tmp_path_factory.mktemp("rabbitmq"))
    try:
        theirs = rabbitmq.RabbitMq(desk).start()
        ours = gateway.Broker(desk).start()
        yield lambda: (theirs.connect(), rabbitmq.NativeSide(ours.port, link_pb2))
    finally:
        desk.close()


@pytest.mark.parametrize("played", scenarios.SCENARIOS, ids=lambda played: played.__name__)
def test_both_show_the_same(both, played):
    notes = []
    for side, other in zip(both(), both()):
        one = scenarios.Notes(side, other)
        try:
            played(side, one)
        finally:
            side.close()
            other.close()
        notes.append(one.seen)
    assert notes[0] == notes[1], f"RabbitMQ: {notes[0]}\nTidegate: {notes[1]}"
    assert notes[0], "nothing was seen"
