-- :checkhealth jobline
local config = require('jobline.config')

local PATIENCE = 10000 -- milliseconds that `jobline doctor` may take

return { check = function()
  local health = vim.health
  health.start('jobline')
  health.ok('Neovim ' .. tostring(vim.version()))
  if vim.fn.executable(config.program) == 0 then
    return health.error(('`%s` is not there'):format(config.program), { 'install jobline, so that it is in PATH', 'or set program in vim.g.jobline' })
  end
  health.ok('the program is ' .. vim.fn.exepath(config.program))
  local result = vim.system(vim.list_extend({ config.program, 'doctor' }, config.args), { text = true }):wait(PATIENCE)
  for line in (result.stdout .. result.stderr):gmatch('[^\n]+') do
    local level, rest = line:match('^(%l+)%s+(.*)$')
    local report = { ok = health.ok, warn = health.warn, fail = health.error }
    if report[level] then report[level](rest) else health.info(line) end
  end
  health.info('this editor is ' .. (require('jobline.rpc').is_connected() and 'connected' or 'not connected; the first command connects'))
end }
