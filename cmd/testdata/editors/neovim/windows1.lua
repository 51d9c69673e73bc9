-- One of two windows.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
vim.cmd('Jobline run echo from the first; while [ ! -e over ]; do sleep 0.05; done')
T.await('the task', function() return T.shell('jobline', 'list'):find('running') end)
vim.fn.writefile({}, 'begun')
T.notice('completed')
