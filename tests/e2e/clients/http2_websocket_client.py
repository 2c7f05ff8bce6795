"""WebSockets over one connection of HTTP/2 (RFC 8441), by the libraries h2 and wsproto, on a job:
{host, port, ca, path, deflate, sockets: [[message, ...], ...]}. All sockets are open at once; each sends its next message
when the turn before has ended."""

import json
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage
from wsproto.extensions import PerMessageDeflate


class Talk:
    """One socket on its stream."""

    def __init__(self, http, stream, messages, extensions):
        self.http, self.stream, self.messages, self.text = http, stream, list(messages), ""
        self.extensions = extensions
        self.frames = None  # takes only what was agreed
        self.ended = False

    def begin(self, agreed):
        for extension in self.extensions:
            extension.finalize(agreed)
        self.frames = Connection(ConnectionType.CLIENT, extensions=self.extensions)
        self.next()

    def next(self):
        if self.messages:
            self.send(TextMessage(json.dumps(self.messages.pop(0))))
        else:
            self.send(CloseConnection(1000))

    def send(self, event):
        self.http.send_data(self.stream, self.frames.send(event))

    def take(self, data):
        self.frames.receive_data(data)
        for event in self.frames.events():
            if isinstance(event, CloseConnection) and not self.ended:
                assert event.code == 1000 and not self.messages, event
                self.ended = True
            elif isinstance(event, TextMessage):
                self.text += event.data
                if event.message_finished:
                    kind, self.text = json.loads(self.text)["type"], ""
                    if kind == "response.completed":
                        self.next()


def connect(job):
    plain = socket.create_connection((job["host"], job["port"]), 20)
    if not job["ca"]:
        return plain
    context = ssl.create_default_context(cafile=job["ca"])
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(plain, server_hostname=job["host"])


def main(job):
    wire = connect(job)
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    http.initiate_connection()
    talks = {}

    def ask(messages):
        stream = http.get_next_available_stream_id()
        deflate = [PerMessageDeflate()] if job["deflate"] else []
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https" if job["ca"] else "http"),
                  (":path", job["path"]), (":authority", f"{job['host']}:{job['port']}"),
                  ("sec-websocket-version", "13"), ("authorization", "Bearer sk-test-websocket-0001")]
        if deflate:
            fields.append(("sec-websocket-extensions", f"permessage-deflate; {deflate[0].offer()}".rstrip("; ")))
        http.send_headers(stream, fields)
        talks[stream] = Talk(http, stream, messages, deflate)

    wire.sendall(http.data_to_send())
    while not talks or not all(talk.ended for talk in talks.values()):
        data = wire.recv(65536)
        assert data, "the server closed the connection"
        for event in http.receive_data(data):
            if isinstance(event, h2.events.RemoteSettingsChanged) and not talks:
                assert h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL in event.changed_settings
                for messages in job["sockets"]:
                    ask(messages)
            elif isinstance(event, h2.events.ResponseReceived):
                answer = dict(event.headers)
                assert answer[":status"] == "200", answer
                agreed = answer.get("sec-websocket-extensions", "")
                assert bool(agreed) == job["deflate"], answer
                talks[event.stream_id].begin(agreed)
            elif isinstance(event, h2.events.DataReceived):
                http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                talks[event.stream_id].take(event.data)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                talks[event.stream_id].ended = True
        wire.sendall(http.data_to_send())
    http.close_connection()
    wire.sendall(http.data_to_send())
    wire.close()


main(json.loads(sys.argv[1]))
