-- Types, members of their inputs and recent tasks are completed; what is refused is
-- asked for again, in the server's words.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
T.say('commands:', table.concat(vim.fn.getcompletion('Jobline ', 'cmdline'), ' '))
vim.fn.getcompletion('Jobline submit ', 'cmdline')
T.await('the types', function() return #vim.fn.getcompletion('Jobline submit ', 'cmdline') > 0 end)
T.say('types:', table.concat(vim.fn.getcompletion('Jobline submit ', 'cmdline'), ' '))
T.say('members:', table.concat(vim.fn.getcompletion('Jobline submit sleep ', 'cmdline'), ' '))
T.say('the other one:', table.concat(vim.fn.getcompletion('Jobline submit sleep durationMs=1 p', 'cmdline'), ' '))
T.say('values:', table.concat(vim.fn.getcompletion('Jobline submit exec stderr=', 'cmdline'), ' '))

local asked = {}
vim.ui.input = function(options, done)
  asked[#asked + 1] = options
  done(#asked == 1 and 'durationMs=5' or nil)
end
vim.cmd('Jobline submit sleep durationMs=soon')
T.notice('sleep durationMs=5: completed')
T.say('asked:', (asked[1].prompt:gsub('\n', ' | ')), '[' .. asked[1].default .. ']', #asked)

vim.ui.select = function(items, options, done)
  T.say('choose:', options.prompt, #items)
  done(items[1])
end
vim.cmd('Jobline again')
T.notice('sleep {"durationMs": ?5}: completed')

vim.ui.input = function(options, done)
  T.say('type:', options.prompt, options.completion)
  done('{"durationMs": 7, "progressEveryMs": ')
  vim.ui.input = function(again, _) T.say('kept:', again.default) end
end
vim.ui.select = function(items, _, done)
  for _, item in ipairs(items) do if item.name == 'sleep' then done(item) end end
end
vim.cmd('Jobline submit')
T.await('the second question', function() return require('jobline').asking == 'sleep' end)
vim.wait(500, function() return false end)
T.say('at the prompt:', table.concat(require('jobline').complete_input('durationMs=1 p', 'durationMs=1 p', 14), ' '))
