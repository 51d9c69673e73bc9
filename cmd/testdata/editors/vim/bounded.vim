vim9script
# Buffers are bounded, the oldest lines go, and an ended task opens by its tail.
g:jobline_max_lines = 1000
Jobline run seq 100000
var text = g:AwaitText('task/', '100000\n— completed —')
var lines = split(text, "\n")
assert_true(len(lines) <= 1001, len(lines) .. ' lines')
assert_match('^… \d\+ older lines are gone', lines[0])
# A line without an end is bounded, too: by 64 KiB, and what comes with the piece that is too much.
Jobline run head -c 300000 /dev/zero | tr '\000' x
text = g:AwaitText('task/', 'xxx\n— completed —')
assert_inrange(65536, 65536 + 2 * 16384, split(text, "\n")->mapnew((_, l) => strlen(l))->max())
# What was before is loaded by a key.
unlet g:jobline_max_lines
g:Run('jobline submit --wait -q -- seq 90000')
var id = g:Run('jobline list --json --limit 1')->json_decode().id
execute 'Jobline logs' id
g:Await('its end', () => bufname() =~# id && getline('$') =~# 'completed')
text = getline(1)
assert_match('^… \d\+ bytes are before this; - loads some of them', text)
assert_true(line('$') < 60000)
assert_match('task/' .. id, bufname())
normal -
g:Await('all of it', () => getline(1) == '1' && getline('$') =~# 'completed')
assert_equal(90001, line('$'))
g:Finish()
