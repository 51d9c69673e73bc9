// Drives jobline through vscode-languageclient, which takes it for a language server.
'use strict';
const Module = require('node:module');

// A stand-in for VS Code. The client asks it about documents, settings and windows, of
// which there are none here: whatever is read, called or made of it is `nothing`.
const nothing = new Proxy(class {}, {
  get(target, name) {
    if (name === 'prototype') return target.prototype;
    if (name === 'then') return undefined;
    if (name === Symbol.toPrimitive) return () => 'nothing';
    if (name === Symbol.iterator) return function* () {};
    return nothing;
  },
  apply: () => nothing,
  construct: () => nothing,
});
const orNothing = (known) => new Proxy(known, { get: (target, name) => (name in target ? target[name] : nothing) });
const vscode = orNothing({ version: '1.90.0', env: { language: 'en', appName: 'vscode' }, workspace: orNothing({ workspaceFolders: undefined, textDocuments: [] }) });
const load = Module._load;
Module._load = (name, ...rest) => (name === 'vscode' ? vscode : load(name, ...rest));
const { LanguageClient } = require('vscode-languageclient/node');

async function session(use) {
  const client = new LanguageClient('jobline', 'jobline', { command: 'jobline', args: ['attach'] }, { documentSelector: [] });
  const finished = [];
  client.onNotification('task/finished', (task) => finished.push(task));
  await client.start();
  const exit = new Promise((resolve) => client._serverProcess.on('exit', resolve));
  await use(client, finished);
  await client.stop(); // sends shutdown and exit
  console.log('exit', await exit);
}

async function main() {
  let long;
  await session(async (client, finished) => {
    console.log('shared:', client.initializeResult.capabilities.shared);
    const short = await client.sendRequest('submit', { type: 'exec', input: { argv: ['echo', 'hello'] } });
    await client.sendRequest('wait', { ids: [short.id] });
    console.log('owner', finished[0].labels.owner, 'exec', finished[0].state);
    long = await client.sendRequest('submit', { type: 'exec', input: { argv: ['sleep', '600'] } });
    while ((await client.sendRequest('status', { id: long.id })).state !== 'running');
  });
  await session(async (client) => {
    console.log('after the stop:', (await client.sendRequest('status', { id: long.id })).state);
    await client.sendRequest('cancel', { id: long.id });
    console.log('then:', (await client.sendRequest('wait', { ids: [long.id] })).tasks[0].state);
  });
}

main().catch((error) => { console.error(error); process.exit(1); });
