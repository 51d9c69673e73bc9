// Sends half of a character, which is no Unicode, through vscode-jsonrpc.
'use strict';
const { spawn } = require('node:child_process');
const rpc = require('vscode-jsonrpc/node');

const server = spawn('jobline', ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
const jobline = rpc.createMessageConnection(
  new rpc.StreamMessageReader(server.stdout), new rpc.StreamMessageWriter(server.stdin));
jobline.listen();

async function main() {
  const half = '😀'.slice(0, 1);
  await jobline.sendRequest('submit', { type: 'noop', labels: { word: half } }).catch((error) => console.log('error', error.code));
  const whole = await jobline.sendRequest('submit', { type: 'noop', labels: { word: half.toWellFormed() } });
  console.log('word', whole.labels.word);
  await jobline.sendRequest('shutdown');
}

server.on('close', (code) => console.log('exit', code));
main();
