// Runs a long task and prints the process ids of the server and of the task.
'use strict';
const { spawn } = require('node:child_process');
const rpc = require('vscode-jsonrpc/node');

const server = spawn('jobline', ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
const jobline = rpc.createMessageConnection(
  new rpc.StreamMessageReader(server.stdout), new rpc.StreamMessageWriter(server.stdin));
jobline.onNotification('task/started', (task) => console.log(server.pid, task.pid));
jobline.listen();
jobline.sendRequest('submit', { type: 'exec', input: { argv: ['sleep', '600'] } });
