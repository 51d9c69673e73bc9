-- Is killed while its tasks go on.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
vim.fn.mkdir(vim.fn.stdpath('state'), 'p') -- a file of another version is no trouble
vim.fn.writefile({ '{"jobline":{"seq":null,"open":{"a":{"what":1},"b":2}}}' }, vim.fn.stdpath('state') .. '/jobline.json')
T.run('echo before; while [ ! -e go ]; do sleep 0.05; done; echo after')
T.line('before')
vim.cmd('Jobline run while [ ! -e go ]; do sleep 0.05; done; exit 4')
vim.cmd('Jobline run while [ ! -e later ]; do sleep 0.05; done')
T.await('the state file', function()
  local ok, all = pcall(vim.fn.readfile, vim.fn.stdpath('state') .. '/jobline.json')
  return ok and select(2, all[1]:gsub('"what"', '')) == 3 and all[1]:find('"pid"')
end)
T.say('waits')
vim.uv.kill(vim.uv.os_getpid(), 'sigkill')
