vim9script
# The end of a task is told where nobody looks at its output, and not where somebody does.
def g:Popups(): list<string>
  return popup_list()->mapnew((_, p) => getbufline(winbufnr(p), 1)[0])
enddef
Jobline run echo seen
g:AwaitText('task/', 'completed')
assert_equal([], g:Popups())
# Vim has no focus.
doautocmd FocusLost
Jobline run echo far
g:Await('a notice', () => g:Popups() == ['echo far completed'])
popup_clear()
doautocmd FocusGained
# No window shows it.
g:jobline_height = 0
only
Jobline run echo hidden; exit 3
g:Await('a notice', () => g:Popups() == ['echo hidden; exit 3 failed exit 3'])
assert_equal(1, winnr('$'))
g:Finish()
