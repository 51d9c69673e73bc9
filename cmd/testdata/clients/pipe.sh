#!/bin/sh
# Runs two tasks and ends: the end of the input drains the queue.
printf '%s\n' \
  '{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop","events":[]}}' \
  '{"jsonrpc":"2.0","id":2,"method":"submit","params":{"type":"exec","input":{"argv":["echo","hello"]},"events":["output"]}}' |
  jobline serve
