vim9script
# A command of the shell runs where Vim is, with Vim's environment, and its secrets are in no file.
$UNICORN = 'Ada'
$MY_TOKEN = 'hush'
execute 'cd' fnameescape($WORK)
Jobline run echo $UNICORN $MY_TOKEN; pwd
var text = g:AwaitText('task/', 'completed')
assert_match('^Ada hush', text)
assert_match($WORK, text)
assert_notmatch('hush', g:Run('cat -- ' .. $XDG_STATE_HOME .. '/jobline/env/*'))
assert_match('"owner":"Vim"', g:Run('jobline status @last --json'))
edit unicorn.txt
Jobline run echo %:r
g:AwaitText('task/', '^unicorn\n.*completed')
set makeprg=echo\ made\ $*
Jobline run
g:AwaitText('task/', '^made')
g:Finish()
