vim9script
# Buffers are bounded, the oldest lines go, and an ended task opens by its tail.
g:jobline_max_lines = 1000
Jobline run seq 100000
var text = g:AwaitText('task/', '100000\n\[completed after')
var lines = split(text, "\n")
assert_true(len(lines) <= 1001, len(lines) .. ' lines')
assert_match('^\[\d\+ older lines were removed\]', lines[0])
# A line without an end is bounded, too.
Jobline run head -c 300000 /dev/zero | tr '\000' x
text = g:AwaitText('task/', 'xxx\n\[completed after')
assert_inrange(16384 - 4, 16384, split(text, "\n")->mapnew((_, l) => strlen(l))->max())
# What was before is loaded by a key.
unlet g:jobline_max_lines
g:Run('jobline submit --wait -q -- seq 90000')
var id = g:Run('jobline list --json --limit 1')->json_decode().id
execute 'Jobline logs' id
g:Await('its end', () => bufname() =~# id && getline('$') =~# 'completed')
text = getline(1)
assert_match('^\[\d\+ bytes before this are not shown; - shows more\]', text)
assert_true(line('$') < 60000)
assert_match('task/' .. id, bufname())
normal -
g:Await('all of it', () => getline(1) == '1' && getline('$') =~# 'completed')
assert_equal(90001, line('$'))
g:Finish()
