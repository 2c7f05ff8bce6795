// Calls over HTTP/2, all at once: http2_client.mjs JOB, with {url, ca, connections, path, bodies}. The bodies go to the
// connections in turn; each connection numbers its streams 1, 3, 5...
import fs from 'node:fs';
import http2 from 'node:http2';

const job = JSON.parse(process.argv[2]);
const options = job.ca ? {ca: fs.readFileSync(job.ca)} : {};
const sessions = Array.from({length: job.connections}, () => http2.connect(job.url, options));

function call(session, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST', ':path': job.path, 'content-type': 'application/json', authorization: 'Bearer sk-h2-test',
    });
    let bytes = 0;
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) reject(new Error(`status ${headers[':status']}`));
    });
    stream.on('data', (part) => { bytes += part.length; });
    stream.on('end', () => (bytes > 0 ? resolve() : reject(new Error('no answer'))));
    stream.on('error', reject);
    const text = JSON.stringify(body);
    const half = text.length >> 1;
    stream.write(text.slice(0, half));
    setImmediate(() => stream.end(text.slice(half)));
  });
}

for (const session of sessions) session.on('error', (error) => { throw error; });
await Promise.all(job.bodies.map((body, i) => call(sessions[i % sessions.length], body)));
for (const session of sessions) session.close();
