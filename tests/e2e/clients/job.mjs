// What the Node clients share: the job of http_client.py, and waiting at its gate.
export const job = JSON.parse(process.argv[2]);

export function bodyOf(call) {
  if (call.pad === undefined) return call.body;
  return {...call.body, messages: [{role: 'user', content: 'x'.repeat(call.pad)}]};
}

export async function waitAtTheGate(number) {
  if (number !== job.gate) return;
  console.log('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.destroy();
}

export async function hang(call) {
  if (!job.hang || call !== job.calls.at(-1)) return;
  console.log('waiting');
  await new Promise(() => setInterval(() => {}, 1000));
}
