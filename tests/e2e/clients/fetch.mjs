// Node's fetch. Takes the same job as http_client.py; NODE_EXTRA_CA_CERTS names the certificate.
import {bodyOf, hang, job, waitAtTheGate} from './job.mjs';

for (const [number, call] of job.calls.entries()) {
  await waitAtTheGate(number);
  const abort = new AbortController();
  const response = await fetch(job.url + call.path, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', ...(call.headers ?? {})},
    body: JSON.stringify(bodyOf(call)),
    signal: abort.signal,
  });
  if (call.events === undefined) {
    await response.arrayBuffer();
    continue;
  }
  let seen = 0;
  const reader = response.body.getReader();
  while (seen < call.events) {
    const {done, value} = await reader.read();
    if (done) break;
    seen += Buffer.from(value).toString('latin1').split('\n\n').length - 1;
  }
  await hang(call);
  abort.abort();
}
