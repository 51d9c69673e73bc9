-- A command goes to the server, which was started on demand; the exit leaves the task.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
T.say('before:', #vim.lsp.get_clients())
vim.cmd('Jobline run exec sleep 600')
T.await('the start', function() return T.shell('jobline', 'list'):find('running') end)
T.say('owner:', T.shell('jobline', 'list', '--json'):match('"owner":"(%w+)"'))
vim.env.SECRET_WORD = 'hush'
vim.fn.mkdir('work')
vim.cmd.cd('work')
T.run('pwd; echo it has ${#SECRET_WORD} letters')
T.line('%[completed')
T.say(vim.fs.basename(T.lines()[1]), T.lines()[2])
-- All that the editor and the server write is in this folder.
vim.cmd.cd('..')
local read, found = 0, 0
for _, file in ipairs(vim.fs.find(function() return true end, { path = '.', type = 'file', limit = math.huge })) do
  local text = io.open(file, 'rb'):read('*a')
  read, found = read + 1, found + select(2, text:gsub('hush', ''))
end
T.say('files were read:', read > 3, 'with the secret:', found)
