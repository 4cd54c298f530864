"""Reads record batches v2 (Kafka's format) from the answer to a Fetch: uncompressed, whole, one after another."""

import struct
from typing import NamedTuple

#                  base offset, length, leader epoch, magic, crc, attributes, last offset delta,
HEADER = struct.Struct(">qiibIhiqqqhii")  # first and last timestamp, producer id, epoch, base sequence, records


class Record(NamedTuple):
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    headers: dict


class Reader:
    def __init__(self, data, at):
        self.data, self.at = data, at

    def varint(self):
        """Reads a zig-zag varint."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value >> 1 ^ -(value & 1)

    def text(self):
        size = self.varint()
        if size < 0:
            return None
        self.at += size
        return bytes(self.data[self.at - size:self.at])


def records(data):
    """Yields all records of all batches in `data`."""
    at = 0
    while at < len(data):
        (base, length, _, magic, _, attributes, _, first_timestamp, _, _, _, _, count) = HEADER.unpack_from(data, at)
        assert magic == 2 and attributes & 7 == 0, f"magic {magic}, attributes {attributes}"
        reader = Reader(data, at + HEADER.size)
        for _ in range(count):
            reader.varint()  # length of the record
            reader.at += 1   # its attributes
            timestamp, offset = first_timestamp + reader.varint(), base + reader.varint()
            key, value = reader.text(), reader.text()
            headers = {reader.text().decode(): reader.text() for _ in range(reader.varint())}
            yield Record(offset, timestamp, key, value, headers)
        at += 12 + length
        assert reader.at == at
