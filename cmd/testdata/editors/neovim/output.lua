-- Output is text with colours, and follows the end unless the person has moved up.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
vim.fn.writefile({
  [[printf 'plain\n\033[31mred\033[0m and \033[1;38;5;82mgreen\033[0m\n']],
  [[printf '10%%\r50%%\r100%%\n']],
  [[printf '\033]0;title\007ti\033[2Jtle\n\033]52;c;aGFjaw==\033\\clip\n']],
  [[printf 'vim: set readonly :\n']],
  [[printf 'to stderr\n' >&2; sleep 0.3; printf 'h\303\251llo \342\234\223\n']],
  [[while [ ! -e go ]; do sleep 0.05; done]],
  [[for i in $(seq 1 30); do echo line $i; done]],
  [[while [ ! -e stop ]; do sleep 0.05; done; echo last]],
}, 'job.sh')
T.run('sh job.sh')
T.line('✓')
for i, line in ipairs(T.lines()) do T.say(i, vim.inspect(line)) end
local namespace = vim.api.nvim_get_namespaces().jobline_output
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
  T.say('colour:', mark[2], mark[3], mark[4].end_col, mark[4].hl_group, vim.api.nvim_get_hl(0, { name = mark[4].hl_group }).fg)
end
T.say('modifiable:', vim.bo.modifiable, 'readonly:', vim.bo.readonly)
local window = vim.api.nvim_get_current_win()
vim.fn.writefile({}, 'go')
T.line('line 30')
T.await('the end', function() return vim.api.nvim_win_get_cursor(window)[1] == vim.api.nvim_buf_line_count(0) end)
T.say('follows: true')
T.press('gg')
vim.fn.writefile({}, 'stop')
T.line('%[completed')
T.say('moved up, at line', vim.api.nvim_win_get_cursor(window)[1])
local ended = vim.b.jobline_task
vim.cmd('bwipeout')
vim.cmd('Jobline logs ' .. ended:sub(-8))
T.line('%[completed')
T.say('opened again:', #T.lines(), 'lines, the last but one:', T.lines()[#T.lines() - 1])
