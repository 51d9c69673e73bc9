#!/bin/sh
# A session as a driver would have it: programs run, report, are cancelled, fail
# and finish. Pipe it into "jobline serve".
say() { printf '%s\n' "$1"; }

# A program that works, with its output as it comes.
say '{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","input":{"argv":["sh","-c","echo compiling; sleep 0.2; echo done"]},"events":["started","output","finished"],"labels":{"target":"app"}}}'
# One that fails.
say '{"jsonrpc":"2.0","id":2,"method":"submit","params":{"type":"exec","input":{"argv":["sh","-c","echo no such rule >&2; exit 2"]}}}'
# One that would take an hour, with an id of our own to cancel it by.
say '{"jsonrpc":"2.0","id":3,"method":"submit","params":{"type":"exec","input":{"argv":["sleep","3600"]},"id":"0193b3a0-0000-7000-8000-000000000003"}}'
# A task of the server's own code that reports how far it is.
say '{"jsonrpc":"2.0","id":4,"method":"submit","params":{"type":"unicornWrangling","input":{"durationMs":600}}}'
# A line that is no JSON harms nobody.
say '{"jsonrpc":"2.0","id":5,"method":"submit",'
sleep 1
say '{"jsonrpc":"2.0","id":6,"method":"cancel","params":{"id":"0193b3a0-0000-7000-8000-000000000003","reason":"enough"}}'
say '{"jsonrpc":"2.0","id":7,"method":"shutdown"}'
