vim9script
# Progress is in the status line, and goes with a cancel.
set laststatus=2 statusline=%{jobline#Status()}
Jobline submit unicornWrangling durationMs=600000
g:Await('the progress', () => jobline#Status() =~# '^jobline: 1 running \d\+%$')
redrawstatus
assert_match('jobline: 1 running \d\+%', range(1, 100)->mapnew((_, c) => screenstring(winheight(1) + 1, c))->join(''))
var id = getcompletion('Jobline cancel ', 'cmdline')[0]
execute 'Jobline cancel' id
g:AwaitText('task/', 'cancelled')
g:Await('its end', () => jobline#Status() == '')
assert_match('told to stop', g:Messages())
g:Finish()
