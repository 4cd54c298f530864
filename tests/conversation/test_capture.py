"""A captured byte stream is one protobuf message: protoc, a tool of another project, prints it."""

import subprocess

import wire


def decoded(capture):
    result = subprocess.run(["protoc", f"--proto_path={wire.SCHEMA.parent}", "--decode", "tidegate.v1.Link",
                             wire.SCHEMA.name], input=bytes(capture), capture_output=True, check=True)
    return result.stdout.decode()


def test_protoc_prints_a_captured_conversation(talk):
    device = talk()
    device.hello()
    device.send("topic", alias=1, routing_key="sensors.s1")
    device.send("publish", alias=1, payload=b"21.5")
    device.expect("ack")
    sent = decoded(device.sent)
    assert [name for name in ("hello {", "topic {", "publish {") if name in sent] == ["hello {", "topic {", "publish {"]
    assert 'device: "s1"' in sent and 'routing_key: "sensors.s1"' in sent and 'payload: "21.5"' in sent
    received = decoded(device.received)
    assert received.startswith("welcome {") and "ack {\n  sequence: 1\n" in received
