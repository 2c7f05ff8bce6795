// An LLM server that speaks HTTP/2, in clear text or over TLS: http2_server.mjs BOOK [KEY CERTIFICATE]
//
// A request names in metadata.together how many requests are to wait for each other, on however many connections. They
// are then answered in turns, a piece each, so that their DATA frames interleave. Every answer has an id and numbers of
// its own; BOOK gets a line for each: what was asked, what was served.
import fs from 'node:fs';
import http2 from 'node:http2';
import zlib from 'node:zlib';

const [book, key, certificate] = process.argv.slice(2);
const server = key
    ? http2.createSecureServer({key: fs.readFileSync(key), cert: fs.readFileSync(certificate)})
    : http2.createServer();
let served = 0;
let waiting = [];

const turn = () => new Promise((resolve) => setImmediate(resolve));

function eventsOf(common, words, usage) {
  const event = (rest) => `data: ${JSON.stringify({...common, object: 'chat.completion.chunk', ...rest})}\n\n`;
  const pieces = [event({choices: [{index: 0, delta: {role: 'assistant', content: ''}, finish_reason: null}]})];
  for (let i = 0; i < words; ++i) {
    pieces.push(event({choices: [{index: 0, delta: {content: ` word${i}`}, finish_reason: null}]}));
  }
  pieces.push(event({choices: [{index: 0, delta: {}, finish_reason: 'stop'}]}));
  pieces.push(event({choices: [], usage}), 'data: [DONE]\n\n');
  return pieces;
}

function inPieces(bytes) {
  const third = Math.ceil(bytes.length / 3);
  return [bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)];
}

function begin(stream, request, requestBytes) {
  const number = ++served;
  const id = `chatcmpl-h2-${number}`;
  const model = `${request.model}-2026-01-01`;
  const usage = {prompt_tokens: 1000 + number, completion_tokens: 7 * number + 3, total_tokens: 1003 + 8 * number};
  const common = {id, created: 1780000000, model};
  const headers = {':status': 200, 'x-request-id': `req-${number}`};
  let pieces;
  if (request.stream) {
    headers['content-type'] = 'text/event-stream';
    pieces = eventsOf(common, 1 + number % 9, usage);
  } else {
    headers['content-type'] = 'application/json';
    const message = {role: 'assistant', content: 'x'.repeat(100 * (number % 50))};
    const body = JSON.stringify(
        {...common, object: 'chat.completion', choices: [{index: 0, message, finish_reason: 'stop'}], usage});
    const packed = number % 3 === 0;
    if (packed) headers['content-encoding'] = 'gzip';
    pieces = inPieces(packed ? zlib.gzipSync(body) : Buffer.from(body));
  }
  stream.respond(headers);
  stream.on('close', () => fs.appendFileSync(book, JSON.stringify({
    response_id: id, request_id: `req-${number}`, request_model: request.model, response_model: model,
    input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens, stream: request.stream === true,
    request_bytes: requestBytes,
  }) + '\n'));
  return {stream, pieces};
}

async function answer(requests) {
  let calls = requests.map(({stream, request, bytes}) => begin(stream, request, bytes));
  while (calls.length > 0) {
    for (const call of calls) {
      const piece = call.pieces.shift();
      if (call.pieces.length === 0) call.stream.end(piece);
      else call.stream.write(piece);
    }
    calls = calls.filter((call) => call.pieces.length > 0).reverse();
    await turn();
  }
}

server.on('stream', (stream) => {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => {
    const bytes = Buffer.concat(parts);
    const request = JSON.parse(bytes);
    waiting.push({stream, request, bytes: bytes.length});
    if (waiting.length < request.metadata.together) return;
    const together = waiting;
    waiting = [];
    answer(together);
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({port: server.address().port})));
