vim9script
# Types and the members of their input are completed; what is refused can be mended.
assert_equal(['again', 'cancel', 'doctor', 'list', 'logs', 'run', 'submit', 'top'], getcompletion('Jobline ', 'cmdline'))
getcompletion('Jobline submit ', 'cmdline')
g:Await('types', () => getcompletion('Jobline submit sl', 'cmdline') == ['sleep'])
assert_equal(['durationMs=', 'progressEveryMs='], getcompletion('Jobline submit sleep ', 'cmdline'))
assert_equal(['progressEveryMs='], getcompletion('Jobline submit sleep durationMs=5 p', 'cmdline'))
assert_equal(['stderr=stderr', 'stderr=stdout'], getcompletion('Jobline submit exec stderr=std', 'cmdline'))
assert_equal(['pty=true', 'pty=false'], getcompletion('Jobline submit exec pty=', 'cmdline'))
Jobline submit sleep durationMs=5
g:AwaitText('task/', 'completed')
Jobline submit sleep {"durationMs": 6}
g:Await('the second', () => g:Run('jobline list --json | grep -c completed') == '2')
# A recent task: its id is completed, and it runs again with the same input.
g:Await('two ids', () => len(getcompletion('Jobline again ', 'cmdline')) == 2)
Jobline again
g:Await('the menu', () => !empty(popup_list()))
assert_match('sleep.*6', getbufline(winbufnr(popup_list()[0]), 1)[0])
popup_close(popup_list()[0], 1)
g:Await('the third', () => g:Run('jobline list --json | grep -c completed') == '3')
Jobline list
g:AwaitText('list', 'sleep {"durationMs":\s*6}.*\n.*sleep {"durationMs":\s*6}')
close
# What is refused stands in the command line again, with the server's words above.
g:typed = ''
def g:Look()
  g:typed = getcmdline()
  feedkeys("\<Esc>", 'n')
enddef
autocmd CmdlineEnter : timer_start(300, (_) => g:Look())
Jobline submit sleep durationMs=soon
timer_start(100, (_) => g:Poll(), {repeat: -1})
def g:Poll()
  if g:typed != ''
    assert_equal('Jobline submit sleep durationMs=soon', g:typed)
    assert_match('/durationMs.*want.*integer', g:Messages())
    g:Finish()
  endif
enddef
