vim9script
# Each trouble is one message with its cure, and no trace.
g:jobline_program = 'no-such-jobline'
Jobline run true
assert_match('no-such-jobline is not in PATH: install jobline, or set g:jobline_program', g:Messages())
Jobline top
Jobline doctor
assert_match('program  no-such-jobline is not in PATH', g:Text('doctor'))
bwipeout
# One that is too old has no attach.
writefile(['#!/bin/sh', 'echo "jobline: unknown command \"attach\"" >&2; exit 2'], $WORK .. '/old')
setfperm($WORK .. '/old', 'rwx------')
g:jobline_program = $WORK .. '/old'
Jobline list
g:Await('too old', () => g:Messages() =~# 'too old: install a newer one')
bwipeout
# One that speaks another protocol.
writefile(['#!/bin/sh', 'read x; id=${x##*\"id\":}; id=${id%%[,\}]*}',
  'echo "{\"id\":$id,\"result\":{\"protocolVersion\":\"2.1\",\"capabilities\":{\"shared\":true}}}"; cat > ' .. $WORK .. '/rest'], $WORK .. '/new')
setfperm($WORK .. '/new', 'rwx------')
g:jobline_program = $WORK .. '/new'
Jobline list
g:Await('another protocol', () => g:Messages() =~# 'the server speaks version 2.1 of the protocol, and this plug-in 1: update the older one')
bwipeout
unlet g:jobline_program
# The server's own words.
Jobline submit gone
g:Await('unknown type', () => g:Messages() =~# '"gone"\|gone:')
feedkeys("\<Esc>", 'nx')
Jobline nonsense
assert_match('there is no nonsense: say one of again, cancel', g:Messages())
Jobline logs ffffffff
g:Await('no such task', () => g:Messages() =~# 'no task has an id that begins or ends with ffffffff')
Jobline doctor
g:AwaitText('doctor', 'ok    server')
assert_match('connected to the server', g:Text('doctor'))
assert_notmatch('E\d\+:\|line \+\d', g:Messages())
g:Finish()
