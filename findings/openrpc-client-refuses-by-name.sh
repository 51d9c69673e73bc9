#!/usr/bin/env bash
# The client that @open-rpc/generator 1.22.3 writes cannot call a method whose
# OpenRPC document says "paramStructure": "by-name" and that has params.
#
# Seen: the generated request() gives its arguments, a list, to the validator of
# @open-rpc/schema-utils-js 1.15.0, which looks for them by name, since the
# method says so, and finds none. The promise is rejected before anything is
# sent. The mapping of the list to names, two lines further down, comes too late.
# The same document with "by-position" is called.
#
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

install() { # install DIRECTORY PACKAGE...
  mkdir "$1"
  (cd "$1" && shift && npm init -y && npm install --no-audit --no-fund --ignore-scripts --loglevel=error "$@") >/dev/null
}
install generator @open-rpc/generator@1.22.3
# What the generated package.json asks for, and a compiler.
install client @open-rpc/client-js@1.7.1 @open-rpc/schema-utils-js@1.15.0 lodash@4.17.21 typescript@5.9.3

document() { # document STRUCTURE
  cat <<JSON
{"openrpc":"1.2.6","info":{"title":"greeter","version":"1"},"methods":[{"name":"greet","paramStructure":"$1",
 "params":[{"name":"whom","required":true,"schema":{"title":"Whom","type":"string"}}],
 "result":{"name":"result","schema":{"title":"Greeting","type":"string"}}}]}
JSON
}

cat > client/call.js <<'JS'
const { readFileSync, writeFileSync } = require('node:fs');
const ts = require('typescript');
const rpc = require('@open-rpc/client-js');
const source = readFileSync('../out/client/typescript/src/index.ts', 'utf8');
writeFileSync('generated.js', ts.transpile(source, { module: 'commonjs', target: 'es2020', esModuleInterop: true }));

const sent = [];
rpc.Client.prototype.request = async (message) => { sent.push(message); return 'hello'; };
const Greeter = require('./generated.js').default;
const client = new Greeter({ transport: { type: 'http', host: 'localhost', port: 1 } });
setTimeout(() => client.greet('world').then(
  (greeting) => console.log('answered', greeting, JSON.stringify(sent)),
  (why) => console.log('refused', [].concat(why).map((e) => e.message.split('\n')[0]).join(), JSON.stringify(sent))), 500);
JS

call() { # call STRUCTURE
  rm -rf out
  document "$1" > openrpc.json
  printf '{"openrpcDocument":"./openrpc.json","outDir":"./out","components":[{"type":"client","name":"greeter","language":"typescript"}]}' > config.json
  generator/node_modules/.bin/open-rpc-generator generate -c config.json >&2
  (cd client && timeout 60 node call.js)
}

by_name=$(call by-name)
by_position=$(call by-position)
printf 'by-name:     %s\nby-position: %s\n' "$by_name" "$by_position"
[[ $by_name == "refused Expected param at key: whom"*"[]" && $by_position == "answered hello"* ]]
