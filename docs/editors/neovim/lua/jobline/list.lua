-- The list of all tasks. It is asked for anew on events, and every second while it is
-- visible, since no event tells of a task that is queued.
local config = require('jobline.config')
local output = require('jobline.output')
local rpc = require('jobline.rpc')
local tasks = require('jobline.tasks')
local api = vim.api

local M = {}

local EVERY, SOON = 1000, 100 -- milliseconds, without and with an event
local namespace = api.nvim_create_namespace('jobline_list')
local rows = {} -- the ids by line
local timer = vim.uv.new_timer()
local buf, asked, soon

local looks = { queued = 'Comment', running = 'DiagnosticInfo', completed = 'DiagnosticOk', cancelled = 'DiagnosticWarn', failed = 'DiagnosticError' }

local function render(found, more)
  local lines, places = {}, {}
  for i, task in ipairs(found) do
    lines[i] = ('%-16s %s %7s  %s'):format(tasks.state(task), tasks.short(task.id), tasks.duration(task), tasks.what(task))
  end
  if more then lines[#lines + 1] = ('… and older ones; list_limit is %d'):format(config.list_limit) end
  for _, window in ipairs(vim.fn.win_findbuf(buf)) do places[window] = rows[api.nvim_win_get_cursor(window)[1]] end
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines[1] and lines or { 'no tasks; :Jobline run COMMAND runs one' })
  vim.bo[buf].modifiable, rows = false, {}
  for i, task in ipairs(found) do
    rows[i] = task.id
    api.nvim_buf_set_extmark(buf, namespace, i - 1, 0, { end_col = #tasks.state(task), hl_group = looks[task.state] })
    for window, id in pairs(places) do
      if id == task.id then api.nvim_win_set_cursor(window, { i, 0 }) end
    end
  end
end

local function refresh()
  soon = false
  if not buf or not vim.fn.win_findbuf(buf)[1] then return timer:stop() end
  if asked or vim.fn.bufwinid(buf) == -1 or not rpc.is_connected() then return end
  asked = true
  local ok, found, more = pcall(tasks.list, { limit = config.list_limit })
  asked = false
  if not ok then error(found, 0) end
  if api.nvim_buf_is_valid(buf) then render(found, more) end
end

--- Asks for the list anew, soon, where it is visible.
function M.changed()
  if soon then return end
  soon = true
  vim.defer_fn(function() rpc.go(refresh) end, SOON)
end

--- Shows the list in a window below.
function M.open()
  local function command(name)
    return function()
      local id = rows[api.nvim_win_get_cursor(0)[1]]
      if id then vim.cmd.Jobline(name, id) end
    end
  end
  if buf and api.nvim_buf_is_valid(buf) and not api.nvim_buf_is_loaded(buf) then
    api.nvim_buf_delete(buf, { force = true }) -- :bdelete has left it without its keys
  end
  if not (buf and api.nvim_buf_is_valid(buf)) then
    buf = output.scratch('tasks', 'jobline-list', {
      { '<CR>', command('logs'), 'open the output' },
      { 'c', command('cancel'), 'cancel the task' },
      { 'r', command('again'), 'run the task again' },
      { 'E', command('errors'), 'errors into the quickfix list' },
      { 'R', function() rpc.go(refresh) end, 'refresh' },
      { 'g?', '<Cmd>help jobline-keys<CR>', 'help' },
    })
    api.nvim_create_autocmd('BufWinEnter', { buffer = buf, callback = function()
      timer:start(EVERY, EVERY, vim.schedule_wrap(function() rpc.go(refresh) end))
    end })
  end
  output.window(buf, 12, { cursorline = true, winbar = '<CR> output  c cancel  r run again  E errors  R refresh  q close  g? help' })
  rpc.connect()
  rpc.go(refresh)
end

return M
