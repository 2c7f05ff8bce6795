// HTTP/2 over TLS in front of llm_server.py: http2_front.mjs KEY CERTIFICATE SOCKET
//
// Passes each stream on to a Unix socket, which no agent watches, as a request of HTTP/1.1 with the header
// x-front-client-port. A stream that its client leaves is left behind too; an answer that breaks off resets its stream.
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';

const [key, certificate, socketPath] = process.argv.slice(2);
const server = http2.createSecureServer(
    {key: fs.readFileSync(key), cert: fs.readFileSync(certificate), allowHTTP1: true});
const OF_ONE_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'expect'];

function passedOn(headers) {
  return Object.fromEntries(
      Object.entries(headers).filter(([name]) => !name.startsWith(':') && !OF_ONE_HOP.includes(name)));
}

function answer(request, body, response) {
  const reset = () => (response.stream ?? response).destroy();
  const headers = {
    ...passedOn(request.headers),
    host: request.headers[':authority'] ?? request.headers.host,
    'content-length': body.length,
    'x-front-client-port': String(request.socket.remotePort),
  };
  const onward = http.request({socketPath, method: request.method, path: request.url, headers, agent: false}, (answer) => {
    response.writeHead(answer.statusCode, passedOn(answer.headers));
    answer.pipe(response);
    answer.on('error', reset);
  });
  onward.on('error', reset);
  response.on('close', () => onward.destroy());
  onward.end(body);
}

server.on('request', (request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => answer(request, Buffer.concat(parts), response));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
