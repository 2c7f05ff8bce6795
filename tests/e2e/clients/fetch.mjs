// Node's fetch. Takes the same job as http_client.py; NODE_EXTRA_CA_CERTS names the certificate.
const job = JSON.parse(process.argv[2]);
for (const call of job.calls) {
  const abort = new AbortController();
  const response = await fetch(job.url + call.path, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', ...(call.headers ?? {})},
    body: typeof call.body === 'string' ? call.body : JSON.stringify(call.body),
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
  if (job.hang) {
    console.log('waiting');
    await new Promise(() => setInterval(() => {}, 1000));
  }
  abort.abort();
}
