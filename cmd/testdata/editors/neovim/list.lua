-- The list shows the tasks of everybody, as they change, and has keys.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
vim.cmd('Jobline')
T.line('^no tasks')
T.shell('jobline', 'submit', 'sleep', '--set', 'durationMs=600000')
T.line('^running +%x+ +[%d.]+m?s  sleep {"durationMs": ?600000}')
T.say('running')
T.press('c')
T.line('^cancelled')
T.say('cancelled')
T.press('r')
T.line('^running')
T.say('again:', #T.lines())
vim.api.nvim_win_set_cursor(0, { T.line('^running'), 0 })
T.shell('jobline', 'submit', 'noop')
T.line('^completed +%x+ +[%d.]+m?s  noop')
T.say('the cursor stays on:', vim.api.nvim_get_current_line():match('^%w+'))
T.press('<CR>')
T.await('the output', function() return vim.bo.filetype == 'jobline-output' end)
T.say('opened')
T.press('q')
T.say('windows:', #vim.api.nvim_list_wins())
-- What no event tells comes by a timer, which stops while nobody sees the list.
local program, looks = require('jobline.program'), 0
local rows = program.on.rows
program.on.rows = function(...)
  looks = looks + 1
  return rows(...)
end
T.await('the list', function() return vim.bo.filetype == 'jobline-list' end)
T.await('the timer', function() return looks > 1 end)
T.press('q')
vim.wait(1500, function() return false end)
looks = 0
vim.wait(2500, function() return false end)
T.say('looks at a list that nobody sees:', looks)
-- A list that was deleted is made anew, with its keys.
vim.cmd('Jobline')
vim.cmd('bdelete')
looks = 0
vim.cmd('Jobline')
T.line('^completed')
T.await('the timer', function() return looks > 2 end)
T.say('keys:', vim.fn.maparg('c', 'n', false, true).desc)
-- In the only window, q goes to another buffer, which has its own options.
vim.cmd('only')
T.say('options:', vim.wo.cursorline, vim.wo.wrap, vim.wo.winbar ~= '')
T.press('q')
T.say('windows:', #vim.api.nvim_list_wins(), 'the list:', vim.bo.filetype == 'jobline-list')
T.say('options:', vim.wo.cursorline, vim.wo.wrap, vim.wo.winbar ~= '')
-- The ids of all tasks are completed, also after a command that names one.
local ids = vim.fn.getcompletion('Jobline logs ', 'cmdline')
vim.cmd('Jobline logs ' .. ids[1])
T.await('the output', function() return vim.bo.filetype == 'jobline-output' end)
T.say('ids:', #ids, #vim.fn.getcompletion('Jobline logs ', 'cmdline'))
