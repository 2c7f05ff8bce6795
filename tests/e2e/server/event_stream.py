"""AWS event streams (application/vnd.amazon.eventstream): one message with text headers, both checksums right."""

import struct
import zlib


def message(headers, payload):
    """The bytes of one message: https://smithy.io/2.0/aws/amazon-eventstream.html"""
    head = b"".join(struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
                    for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    return prelude + head + payload + struct.pack(">I", zlib.crc32(prelude + head + payload))
