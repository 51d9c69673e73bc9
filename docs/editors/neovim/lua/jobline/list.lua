-- The list of all tasks, live where a window shows it.
local config = require('jobline.config')
local output = require('jobline.output')
local program = require('jobline.program')
local api = vim.api

local M = {}

local namespace = api.nvim_create_namespace('jobline_list')
local shown = {} -- the ids by line
local looks = { queued = 'Comment', running = 'DiagnosticInfo', completed = 'DiagnosticOk', failed = 'DiagnosticError' }
local buf

local function line(row)
  local waits = row.waits and row.waits .. ' › ' or ''
  return ('%-16s %s %7s  %s%s'):format(row.status, row.short, row.time or '', waits, row.title)
end

--- Draws the list, or has its times rest where no window shows it.
function M.changed()
  local windows = buf and vim.fn.win_findbuf(buf) or {}
  if not windows[1] then
    M.live = M.live and program.tell('list', 'off') -- which answers nothing
    return
  end
  if not M.live then program.tell('list', 'on') end
  M.live = true
  local rows, places = program.sorted(), {}
  local lines = vim.tbl_map(line, rows)
  if #rows >= config.list_limit then lines[#lines + 1] = '… list_limit is ' .. config.list_limit end
  for _, window in ipairs(windows) do places[window] = shown[api.nvim_win_get_cursor(window)[1]] end
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines[1] and lines or { 'no tasks; :Jobline run COMMAND runs one' })
  vim.bo[buf].modifiable, shown = false, {}
  for i, row in ipairs(rows) do
    shown[i] = row.id
    local look = looks[row.state] or 'DiagnosticWarn'
    api.nvim_buf_set_extmark(buf, namespace, i - 1, 0, { end_col = #row.status, hl_group = look })
    for window, id in pairs(places) do
      if id == row.id then api.nvim_win_set_cursor(window, { i, 0 }) end
    end
  end
end

--- Goes on with another process.
function M.begun() M.live = false end

--- Shows the list in a window below.
function M.open()
  local function command(name)
    return function()
      local id = shown[api.nvim_win_get_cursor(0)[1]]
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
      { 'R', function() program.tell('list', 'on') end, 'refresh' },
      { 'g?', '<Cmd>help jobline-keys<CR>', 'help' },
    })
    api.nvim_create_autocmd({ 'BufWinEnter', 'BufWinLeave' }, { buffer = buf, callback = vim.schedule_wrap(M.changed) })
  end
  local keys = '<CR> output  c cancel  r run again  E errors  R refresh  q close  g? help'
  output.window(buf, 12, { cursorline = true, winbar = keys })
  if program.start() then M.changed() end
end

return M
