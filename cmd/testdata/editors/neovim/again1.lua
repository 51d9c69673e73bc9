-- Is killed while its tasks go on.
local T = dofile('lib.lua')
T.run('echo before; while [ ! -e go ]; do sleep 0.05; done; echo after')
T.line('before')
vim.cmd('Jobline run while [ ! -e go ]; do sleep 0.05; done; exit 4')
vim.cmd('Jobline run while [ ! -e later ]; do sleep 0.05; done')
T.await('the state file', function()
  local ok, all = pcall(vim.fn.readfile, vim.fn.stdpath('state') .. '/jobline.json')
  return ok and select(2, all[1]:gsub('"what"', '')) == 3
end)
T.say('waits')
vim.fn.writefile({}, 'ready')
vim.wait(60000, function() return false end)
