// Runs tasks on jobline through vscode-jsonrpc.
'use strict';
const { spawn } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const rpc = require('vscode-jsonrpc/node');

const server = spawn('jobline', ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
const exit = once(server, 'exit');
const jobline = rpc.createMessageConnection(
  new rpc.StreamMessageReader(server.stdout), new rpc.StreamMessageWriter(server.stdin));

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
  console.log('submitted sleep, known before:', (await jobline.sendRequest('submit', nap)).existing ?? false);
  console.log('submitted sleep, known before:', (await jobline.sendRequest('submit', nap)).existing ?? false);
  await jobline.sendRequest('wait', { ids: [nap.id] });
  console.log('sleep', story(nap.id));

  const echo = await jobline.sendRequest('submit', { type: 'exec', input: { argv: ['echo', 'héllo ✓'] }, events });
  await jobline.sendRequest('wait', { ids: [echo.id] });
  console.log('exec wrote', tasks.get(echo.id).output.trim());
  console.log('exec', story(echo.id));

  await jobline.sendRequest('submit', { type: 'slep' }).catch((error) =>
    console.log('error', error.code, error.data.kind, 'retryable:', error.data.retryable));

  const long = { id: randomUUID(), type: 'exec', input: { argv: ['sleep', '600'] } };
  const started = once(news, 'started' + long.id);
  await jobline.sendRequest('submit', long);
  await started;
  console.log('cancel:', (await jobline.sendRequest('cancel', { id: long.id, reason: 'enough' })).outcome);

  const { tasks: all } = await jobline.sendRequest('wait', { ids: [nap.id, echo.id, long.id] });
  console.log('exec', story(long.id));
  console.log('all:', all.map((task) => task.state).join(' '));

  console.log('shutdown, left:', (await jobline.sendRequest('shutdown')).left);
  console.log('exit', (await exit)[0]);
}

main().catch((error) => { console.error(error); process.exit(1); });
