vim9script
# Output comes live, in order, with its colours, and nothing in it is obeyed.
writefile([], $WORK .. '/wait')
writefile([], $WORK .. '/wait-more')
execute 'cd' fnameescape($WORK)
Jobline run printf 'plain\n\033[1;31mred\033[0m and \033[38;5;208morange\033[m \033[48;2;0;0;255mblue\033[m\n'; printf 'a 1%%\ra 2%%\ra 100%%\n'; printf '\033]0;title\007\033[2Jtext \303\251\nvim: set tw=33:\n\377\nhalf'; while test -e wait; do sleep 0.02; done; echo ' whole'; while test -e wait-more; do sleep 0.02; done; echo problem >&2
g:AwaitText('task/', 'half$')
var buffer = getbufinfo()->filter((_, b) => b.name =~# 'task/')[0].bufnr
var lines = getbufline(buffer, 1, '$')
assert_equal(['plain', 'red and orange blue', 'a 100%', "text é", 'vim: set tw=33:', "\ufffd", 'half'], lines)
var props = prop_list(2, {bufnr: buffer})->mapnew((_, p) => [p.col, p.length, p.type])->sort()
assert_equal([[1, 3, 'jobline_1__bold'], [16, 4, 'jobline__21'], [9, 6, 'jobline_208_']], props->sort((a, b) => a[0] == b[0] ? 0 : a[0] == 1 ? -1 : b[0] == 1 ? 1 : b[0] - a[0]))
assert_match('ctermfg=208', execute('highlight jobline_208_'))
# The window follows the end, and the cursor of this window has not moved.
assert_equal('', bufname())
assert_equal(7, line('$', bufwinid(buffer)))
assert_equal(7, line('.', bufwinid(buffer)))
# The user moves up, and is left there.
win_execute(bufwinid(buffer), 'normal! 2G')
delete('wait')
g:AwaitText('task/', 'half whole\n')
delete('wait-more')
g:AwaitText('task/', 'half whole\nproblem\n\[completed after .*\]')
assert_equal(2, line('.', bufwinid(buffer)))
assert_equal(false, getbufvar(buffer, '&modifiable'))
assert_equal(0, getbufvar(buffer, '&textwidth'))
g:Finish()
