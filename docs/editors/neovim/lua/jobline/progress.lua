-- Progress of own tasks, as that of a language server: LspProgress, vim.lsp.status() and their
-- cancel. The client is of no process and no buffer.
local program = require('jobline.program')

local M = {}

local dispatchers -- what the client takes, once it has begun
local begun = {} -- by id: the last message of each task that is told of

local function transport(d)
  local over = false
  return {
    request = function(method, _, callback)
      vim.schedule(function()
        if method == 'initialize' then dispatchers = d end
        callback(nil, { capabilities = {}, serverInfo = { name = 'jobline' } })
        if method == 'initialize' then M.changed() end
      end)
      return true, 1
    end,
    notify = function(method, params)
      if method == 'window/workDoneProgress/cancel' then program.go(program.must, 'cancel', params.token) end
      return not over
    end,
    is_closing = function() return over end,
    terminate = function()
      over, dispatchers = true, nil
      d.on_exit(0, 0)
    end,
  }
end

local function start()
  local client = { name = 'jobline', cmd = transport }
  if vim.fn.has('nvim-0.11') == 1 then
    return vim.lsp.start(client, { attach = false, reuse_client = function() return false end })
  end
  return vim.lsp.start_client(client)
end

local function tell(id, value)
  value.cancellable = true
  dispatchers.notification('$/progress', { token = id, value = value })
end

local started = false

--- Tells how far the own tasks are.
function M.changed()
  for id, row in pairs(program.rows) do
    if row.mine and row.state == 'running' then
      started = started or start() ~= nil
      if not dispatchers then return end
      if not begun[id] then tell(id, { kind = 'begin', title = row.title }) end
      local message = row.message and ('%s %s'):format(row.percent or '', row.message)
      if message and begun[id] ~= message then
        tell(id, { kind = 'report', message = row.message, percentage = row.percent })
      end
      begun[id] = message or ''
    end
  end
end

--- Tells that an own task has ended.
function M.ended(row)
  if begun[row.id] and dispatchers then tell(row.id, { kind = 'end', message = row.status }) end
  begun[row.id] = nil
end

return M
