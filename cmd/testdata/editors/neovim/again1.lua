-- Is killed while its tasks go on.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
T.run('echo before; while [ ! -e go ]; do sleep 0.05; done; echo after')
T.line('before')
vim.cmd('Jobline run while [ ! -e go ]; do sleep 0.05; done; exit 4')
vim.cmd('Jobline run while [ ! -e later ]; do sleep 0.05; done')
T.await('three own tasks', function()
  local own = vim.tbl_filter(function(row) return row.mine end, require('jobline.program').sorted())
  return #own == 3
end)
T.say('waits')
vim.uv.kill(vim.uv.os_getpid(), 'sigkill')
