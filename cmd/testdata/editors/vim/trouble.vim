vim9script
# Each trouble is one message with its cure, and no trace.
g:jobline_program = 'no-such-jobline'
Jobline run true
assert_match('no-such-jobline is not in PATH: install jobline, or set g:jobline_program', g:Messages())
Jobline top
Jobline doctor
assert_match('program  no-such-jobline is not in PATH', g:Text('doctor'))
bwipeout
# One that is too old has no view.
writefile(['#!/bin/sh', 'echo "jobline: unknown command \"view\"" >&2; exit 2'], $WORK .. '/old')
setfperm($WORK .. '/old', 'rwx------')
g:jobline_program = $WORK .. '/old'
Jobline list
g:Await('too old', () => g:Messages() =~# 'too old: install a newer one')
bwipeout
unlet g:jobline_program
# The server's own words.
Jobline submit gone
g:Await('unknown type', () => g:Messages() =~# '"gone"\|gone:')
feedkeys("\<Esc>", 'nx')
Jobline nonsense
assert_match('there is no nonsense: say one of again, cancel', g:Messages())
Jobline logs ffffffff
g:Await('no such task', () => g:Messages() =~# 'there is no task.*ffffffff')
Jobline doctor
g:AwaitText('doctor', 'ok    server')
assert_match('server   connected', g:Text('doctor'))
assert_notmatch('E\d\+:\|line \+\d', g:Messages())
g:Finish()
