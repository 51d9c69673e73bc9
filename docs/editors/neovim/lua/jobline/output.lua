-- Buffers with what tasks write, as `jobline view` tells it: in pieces that leave time for keys,
-- bounded, with colours. They follow the end in every window whose cursor is on the last line.
local config = require('jobline.config')
local program = require('jobline.program')
local api = vim.api

local M = {}

local TAIL = 256 * 1024 -- bytes of each stream that are shown first

local marks = api.nvim_create_namespace('jobline_output')
local opened = {} -- what is known of each buffer, by the id of its task
local looks = {}

local function define(name, look)
  local group = { fg = look.fgColour, bg = look.bgColour, ctermfg = look.fg, ctermbg = look.bg }
  for _, attribute in ipairs(look.attributes) do group[attribute] = true end
  if look.fg and look.fg < 16 then group.fg = vim.g['terminal_color_' .. look.fg] or group.fg end
  if look.bg and look.bg < 16 then group.bg = vim.g['terminal_color_' .. look.bg] or group.bg end
  api.nvim_set_hl(0, 'JoblineAnsi_' .. name, group)
end

function program.on.looks(fresh)
  for name, look in pairs(fresh) do
    looks[name] = look
    define(name, look)
  end
end

api.nvim_create_autocmd('ColorScheme', { -- which clears them
  group = api.nvim_create_augroup('jobline_ansi', {}),
  callback = function() for name, look in pairs(looks) do define(name, look) end end,
})

local function ask(o) program.tell('open', o.id, o.tail, config.max_lines, config.max_bytes) end

-- put puts lines into the place of the last one of a buffer, and then bounds it.
local function put(buf, told)
  local last = api.nvim_buf_line_count(buf) - 1
  if told.clear then
    api.nvim_buf_set_lines(buf, 0, -1, false, {})
    last = 0
  end
  if told.lines then api.nvim_buf_set_lines(buf, last, -1, false, told.lines) end
  for _, span in ipairs(told.spans or {}) do
    local row, column, length, look = unpack(span)
    local part = { end_col = column + length, hl_group = 'JoblineAnsi_' .. look }
    api.nvim_buf_set_extmark(buf, marks, last + row, column, part)
  end
  if told.drop then
    api.nvim_buf_set_lines(buf, 0, told.drop, false, {})
    api.nvim_buf_set_lines(buf, 0, 1, false, { told.first })
  end
end

function program.on.output(told)
  local o = opened[told.id]
  if not o or not api.nvim_buf_is_loaded(o.buf) then return end
  local last = api.nvim_buf_line_count(o.buf)
  local followers = vim.tbl_filter(function(window)
    return api.nvim_win_get_cursor(window)[1] >= last
  end, vim.fn.win_findbuf(o.buf))
  vim.bo[o.buf].modifiable = true
  put(o.buf, told)
  vim.bo[o.buf].modifiable = false
  for _, window in ipairs(followers) do api.nvim_win_set_cursor(window, { api.nvim_buf_line_count(o.buf), 0 }) end
  if told.clear then o.older, o.ended = false, nil end
  o.older, o.ended = o.older or told.older, told.ended
  if told.error then program.say(told.error, vim.log.levels.ERROR) end
  if o.ended and o.shown then
    local shown = o.shown
    o.shown = nil
    shown(o.buf, o.ended)
  end
end

-- leave closes the window, or shows another buffer in it where it is the only one.
local function leave()
  if not pcall(vim.cmd.close) then vim.cmd(vim.fn.buflisted(vim.fn.bufnr('#')) == 1 and 'buffer #' or 'enew') end
end

--- Makes a buffer that shows text, and no more. Keys are { key, function, what for }.
function M.scratch(name, filetype, keys)
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(buf, 'jobline://' .. name)
  vim.bo[buf].modeline, vim.bo[buf].undolevels, vim.bo[buf].filetype = false, -1, filetype
  keys[#keys + 1] = { 'q', leave, 'close the window' }
  for _, key in ipairs(keys) do
    vim.keymap.set('n', key[1], key[2], { buffer = buf, nowait = true, desc = 'jobline: ' .. key[3] })
  end
  return buf
end

--- Shows a buffer in a window below, with options that count there as long as it is shown.
function M.window(buf, height, options)
  local window = vim.fn.bufwinid(buf)
  if window ~= -1 then return api.nvim_set_current_win(window) end
  vim.cmd(('botright %dsplit'):format(height))
  api.nvim_win_set_buf(0, buf)
  local usual = { number = false, relativenumber = false, signcolumn = 'no', wrap = false }
  options = vim.tbl_extend('force', usual, options or {})
  for name, value in pairs(options) do vim.wo[0][0][name] = value end
end

--- The buffer of a task; it is made where there is none.
function M.buffer(id)
  if opened[id] then return opened[id].buf end
  local function command(name) return function() vim.cmd.Jobline(name, id) end end
  local o = { id = id, tail = TAIL, buf = M.scratch(id, 'jobline-output', {
    { 'P', function() M.more(id) end, 'show more of the older output' },
    { 'E', command('errors'), 'errors into the quickfix list' },
    { 'c', command('cancel'), 'cancel the task' },
    { 'r', command('again'), 'run the task again' },
  }) }
  vim.bo[o.buf].modifiable = false
  opened[id], vim.b[o.buf].jobline_task = o, id
  api.nvim_create_autocmd('BufUnload', { buffer = o.buf, callback = function()
    opened[id] = nil
    program.tell('close', id)
  end })
  ask(o)
  return o.buf
end

--- Shows the output of a task at its end.
function M.open(id)
  local buf = M.buffer(id)
  M.window(buf, 15)
  api.nvim_win_set_cursor(0, { api.nvim_buf_line_count(buf), 0 })
end

--- Whether somebody sees the output of a task now.
function M.visible(id) return opened[id] ~= nil and vim.fn.bufwinid(opened[id].buf) ~= -1 end

--- Shows twice as much of the older output.
function M.more(id)
  local o = opened[id]
  if not o.older then return program.say('all of the output that is kept is shown') end
  o.tail = math.min(o.tail * 2, 2 ^ 30)
  ask(o)
end

--- Calls done with the buffer and the row of the task once all of its output is shown.
function M.when_shown(id, done)
  local o = opened[id]
  if o.ended then return done(o.buf, o.ended) end
  o.shown = done
end

--- Goes on with another process.
function M.begun()
  for _, o in pairs(opened) do
    if not o.ended then ask(o) end
  end
end

return M
