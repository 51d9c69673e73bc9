vim9script
# Errors go to the quickfix list by the user's errorformat; their files are those of the task's directory.
mkdir($WORK .. '/sub', 'p')
writefile(['one', 'two', 'three'], $WORK .. '/sub/main.c')
execute 'cd' fnameescape($WORK .. '/sub')
g:filled = 0
autocmd QuickFixCmdPost make g:filled += 1
Jobline run printf 'cc main.c\n\033[1mmain.c:3:2: error: bad unicorn\033[m\n' >&2; exit 1
cd /
g:Await('the list', () => g:filled == 1)
var errors = getqflist()->filter((_, e) => e.valid)
assert_equal(1, len(errors))
assert_equal([3, 2, ' error: bad unicorn'], [errors[0].lnum, errors[0].col, errors[0].text])
cc
assert_equal($WORK .. '/sub/main.c', expand('%:p'))
assert_equal([3, 2], [line('.'), col('.')])
assert_match('1 place in the quickfix list', g:Messages())
# Only those of commands.
Jobline submit sleep durationMs=1
g:AwaitText('task/', 'completed')
assert_equal(1, g:filled)
assert_match('printf', getqflist({title: 0}).title)
g:Finish()
