vim9script
# The list has all tasks, changes as they do, and has keys.
g:Run('jobline submit -q sleep --set durationMs=1 --wait')
g:Run('jobline submit -q --label x=1 -- sleep 600')
Jobline list
g:AwaitText('list', 'running.*sleep 600')
assert_match('\x\{8}  completed         .*  sleep {"durationMs":1}', getline(3))
assert_match('\x\{8}  running           .*  sleep 600', getline(2))
cursor(2, 1)
normal c
g:AwaitText('list', 'cancelled.*sleep 600')
assert_match('help jobline-list', maparg('?', 'n'))
cursor(2, 1)
normal a
g:AwaitText('list', 'running.*sleep 600')
# A task of another program comes by itself.
g:Run('jobline submit -q noop')
g:AwaitText('list', 'completed.*noop')
cursor(3, 1)
assert_match('running.*sleep 600', getline(3))
execute "normal \<CR>"
g:Await('its output', () => &filetype ==# 'jobline-output')
normal c
g:AwaitText('task/', 'cancelled')
normal q
Jobline list
normal q
assert_equal([], win_findbuf(bufnr('jobline://list')))
g:Finish()
