-- What is wrong is told in one message, with the cure.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
vim.g.jobline = { program = 'no-such-jobline' }
vim.cmd('Jobline run true')
T.notice('cannot be started')
vim.g.jobline = { program = 'false' }
vim.cmd('Jobline run true')
T.notice('submit')
vim.g.jobline = { args = { '--socket', '/dev/null/no' } }
vim.cmd('Jobline run true')
T.notice('/dev/null')
vim.g.jobline = nil
local asked
vim.ui.input = function(options, done) asked = options.prompt done(nil) end
vim.cmd('Jobline submit gone x=1')
T.await('the question', function() return asked end)
T.say('asked:', (asked:gsub('\n', ' | ')))
vim.cmd('Jobline cancel 00000000')
T.notice('no task')
vim.cmd('Jobline nonsense')
T.notice('no command')
vim.wait(300, function() return false end)
T.say('more notices:', unpack(T.notices))
vim.cmd('checkhealth jobline')
for _, line in ipairs(T.lines()) do
  local said = line:match('OK Neovim') or line:match('OK the program') or line:match('OK server +process')
  if said then T.say((said:gsub(' +', ' '))) end
end
