-- Runs a long task and prints the process ids of the server and of the task.
local pid
local dispatchers = { notification = function(_, params) pid = params.pid end }
local ok, server = pcall(vim.lsp.rpc.start, { 'jobline', 'serve' }, dispatchers)
if not ok then server = vim.lsp.rpc.start('jobline', { 'serve' }, dispatchers) end
server.request('submit', { type = 'exec', input = { argv = { 'sleep', '600' } } }, function() end)
assert(vim.wait(10000, function() return pid end, 10))
-- The newer client does not tell the server's process id; the task's parent is it.
local parent = server.pid or vim.fn.system({ 'ps', '-o', 'ppid=', '-p', pid })
io.stdout:write(vim.trim(tostring(parent)), ' ', pid, '\n')
io.stdout:flush()
vim.wait(600000, function() return false end)
