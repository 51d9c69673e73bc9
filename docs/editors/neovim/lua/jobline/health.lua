-- :checkhealth jobline
local config = require('jobline.config')

return { check = function()
  local health = vim.health
  health.start('jobline')
  health.ok('Neovim ' .. tostring(vim.version()))
  if vim.fn.executable(config.program) == 0 then
    local cures = { 'install jobline, so that it is in PATH', 'or set program in vim.g.jobline' }
    return health.error(('`%s` is not there'):format(config.program), cures)
  end
  health.ok('the program is ' .. vim.fn.exepath(config.program))
  for _, line in ipairs(vim.fn.systemlist(vim.list_extend({ config.program, 'doctor' }, config.args))) do
    local level, rest = line:match('^(%l+)%s+(.*)$')
    local report = { ok = health.ok, warn = health.warn, fail = health.error }
    if report[level] then report[level](rest) else health.info(line) end
  end
end }
