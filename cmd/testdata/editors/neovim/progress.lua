-- Progress comes as that of a language server, and can be cancelled so.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
local told = {}
vim.api.nvim_create_autocmd('LspProgress', { callback = function(e)
  local value = e.data.params.value
  told[#told + 1] = { value.kind, value.title, value.message or '', tostring(value.percentage), e.data.params.token }
end })
vim.cmd('Jobline submit unicornWrangling durationMs=800')
T.notice('unicornWrangling')
for _, kind in ipairs({ 'begin', 'report', 'end' }) do
  local first
  for _, p in ipairs(told) do if p[1] == kind and (kind ~= 'report' or p[4] == '50') then first = first or p end end
  T.say(kind .. ':', table.concat(first, ', ', 2, 4))
end
told = {}
vim.cmd('Jobline submit sleep durationMs=600000 progressEveryMs=100')
T.await('a report', function() return told[1] and told[#told][1] == 'report' end)
T.say('status line:', (vim.lsp.status():gsub('^.*, ', ''):gsub('%d+', 'N')))
local client = vim.lsp.get_clients({ name = 'jobline' })[1]
client.notify('window/workDoneProgress/cancel', { token = told[1][5] })
T.notice('cancelled')
vim.cmd('Jobline submit sleep durationMs=600000')
T.await('the task', function() return #T.notices == 0 and T.shell('jobline', 'list'):find('running') end)
vim.ui.select = function(items, options, done) T.say(options.prompt, #items) done(items[1]) end
vim.cmd('Jobline cancel')
T.notice('cancelled')
