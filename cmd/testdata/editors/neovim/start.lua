-- A command goes to the server, which was started on demand; the exit leaves the task.
local T = dofile('lib.lua')
T.say('before:', #vim.lsp.get_clients())
vim.cmd('Jobline run exec sleep 600')
T.await('the start', function() return T.shell('jobline', 'list'):find('running') end)
local client = vim.lsp.get_clients()[1]
T.say('client:', client.name, 'shared:', client.server_capabilities.shared)
T.say('owner:', T.shell('jobline', 'list', '--json'):match('"owner":"(%w+)"'))
vim.env.SECRET_WORD = 'hush'
vim.fn.mkdir('work')
vim.cmd.cd('work')
T.run('pwd; echo $SECRET_WORD')
T.line('%[completed')
T.say(vim.fs.basename(T.lines()[1]), T.lines()[2])
T.say('secret in the store:', T.shell('jobline', 'list', '--json'):find('hush') ~= nil)
