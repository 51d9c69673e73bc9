// Runs tasks on jobline through vscode-jsonrpc.
'use strict';
const { spawn } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const { createInterface } = require('node:readline');
const { PassThrough } = require('node:stream');
const rpc = require('vscode-jsonrpc/node');

const server = spawn('jobline', ['serve']);
const requests = new PassThrough(); // the library does not stand a failed write, and this has none
requests.pipe(server.stdin).on('error', () => {});
const jobline = rpc.createMessageConnection(
  new rpc.StreamMessageReader(server.stdout), new rpc.StreamMessageWriter(requests));

// sendRequest waits for ever where the server ends before its reply; call does not.
let said = ''; // the last line on stderr, which tells why the server has ended
createInterface({ input: server.stderr }).on('line', (line) => { said = line; });
const exit = new Promise((resolve) => server.on('close', resolve));
const lost = new Promise((_, reject) => {
  server.on('error', reject); // there is no jobline in PATH
  exit.then((code) => { // after 0 there are no replies but those that are about to be handled
    if (code !== 0) reject(new Error(`jobline ended with exit code ${code}: ${said}`));
  });
});
lost.catch(() => {}); // perhaps nobody is calling then
const call = (...request) => Promise.race([jobline.sendRequest(...request), lost]);

// Every notification names its task: keep what is shown of each, and tell
// whoever waits for one of them.
const tasks = new Map();
const news = new EventEmitter();
for (const event of ['started', 'progress', 'output', 'finished']) {
  jobline.onNotification(`task/${event}`, (params) => {
    const task = tasks.get(params.id) ?? { events: new Set(), output: '' };
    tasks.set(params.id, task);
    task.events.add(event);
    if (event === 'output') task.output += params.data;
    if (event === 'finished') task.state = params.state;
    news.emit(event + params.id);
  });
}
const story = (id) => `${tasks.get(id).state} after ${[...tasks.get(id).events].join(' ')}`;
const events = ['started', 'progress', 'output', 'finished'];

async function main() {
  jobline.listen();

  // An id of our own makes it safe to submit again.
  const nap = { id: randomUUID(), type: 'sleep', input: { durationMs: 50, progressEveryMs: 10 } };
  console.log('submitted sleep, known before:', (await call('submit', nap)).existing ?? false);
  console.log('submitted sleep, known before:', (await call('submit', nap)).existing ?? false);
  await call('wait', { ids: [nap.id] });
  console.log('sleep', story(nap.id));

  const echo = await call('submit', { type: 'exec', input: { argv: ['echo', 'héllo ✓'] }, events });
  await call('wait', { ids: [echo.id] });
  console.log('exec wrote', tasks.get(echo.id).output.trim());
  console.log('exec', story(echo.id));

  await call('submit', { type: 'slep' }).catch((error) =>
    console.log('error', error.code, error.data.kind, 'retryable:', error.data.retryable));

  const long = { id: randomUUID(), type: 'exec', input: { argv: ['sleep', '600'] } };
  const started = once(news, 'started' + long.id);
  await call('submit', long);
  await started;
  console.log('cancel:', (await call('cancel', { id: long.id, reason: 'enough' })).outcome);

  const { tasks: all } = await call('wait', { ids: [nap.id, echo.id, long.id] });
  console.log('exec', story(long.id));
  console.log('all:', all.map((task) => task.state).join(' '));

  console.log('shutdown, left:', (await call('shutdown')).left);
  console.log('exit', await exit);
}

main().catch((error) => { console.error(error); process.exit(1); });
