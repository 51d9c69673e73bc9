-- Buffers with what tasks write. They are filled in slices of time, bounded, and follow
-- the end in every window whose cursor is on the last line.
local ansi = require('jobline.ansi')
local config = require('jobline.config')
local rpc = require('jobline.rpc')
local tasks = require('jobline.tasks')
local api = vim.api

local M = {}

local EVERY = 75 -- milliseconds between two changes of buffers
local SLICE = 5e6 -- nanoseconds of work at once
local PIECE = 8 * 1024 -- bytes that are made lines of at once
local TAIL = 256 * 1024 -- bytes of each stream that are shown first
local LONGEST = 4096 -- bytes of a line; what is longer goes on in the next

local namespace = api.nvim_create_namespace('jobline_output')
local opened = {} -- what is known of each buffer, by the id of its task
local dirty = {} -- those that have something to show, the next one first
local timer = vim.uv.new_timer()
local flush

local function arm(milliseconds)
  if not timer:is_active() then timer:start(milliseconds, 0, vim.schedule_wrap(flush)) end
end

-- add notes text that is to be shown. What waits to be shown is bounded, too.
local function add(o, text)
  if text == '' then return end
  for at = 1, #text, PIECE do
    o.newest = o.newest + 1
    o.texts[o.newest] = text:sub(at, at + PIECE - 1)
  end
  o.waiting, o.unfinished = o.waiting + #text, text:sub(-1) ~= '\n'
  while o.waiting > config.max_bytes do
    o.waiting, o.texts[o.first], o.first = o.waiting - #o.texts[o.first], nil, o.first + 1
    o.gone = math.max(o.gone, 1)
  end
  if not o.dirty then dirty[#dirty + 1] = o end
  o.dirty = true
  arm(EVERY)
end

-- trim removes the oldest lines of a buffer that has too many of them, or of bytes.
local function trim(o)
  local bytes = api.nvim_buf_get_offset(o.buf, o.line)
  local keep = math.min(1, config.max_lines / o.line, config.max_bytes / bytes)
  if o.line == 0 or keep == 1 then return end
  local remove = o.line - math.floor(o.line * keep * 0.95)
  o.gone = o.gone + remove - math.min(o.gone, 1)
  api.nvim_buf_set_lines(o.buf, 0, remove, false, { ('[%d older lines were removed]'):format(o.gone) })
  o.line = o.line - remove + 1
end

-- lines makes text to lines of a buffer. The last, which is not ended, is kept as it
-- came, since what comes next may change it.
local function lines(o, text)
  local found, at = {}, 1
  text = o.rest .. text
  repeat
    local newline = text:find('\n', at, true)
    local stop = newline or #text + 1
    while stop - at > LONGEST do
      local cut = at + LONGEST + vim.str_utf_start(text, at + LONGEST)
      found[#found + 1], at = text:sub(at, cut - 1), cut
    end
    if newline then found[#found + 1], at = text:sub(at, newline - 1), newline + 1 end
  until not newline
  local over = text:find('\r[^\r\n]+$', at)
  o.rest = text:sub(over and over + 1 or at)
  if over then o.style = select(3, ansi.line(text:sub(at, over), o.style)) end
  return found
end

local function show(o, text)
  local found, shown, last = lines(o, text), {}, api.nvim_buf_line_count(o.buf)
  local followers = vim.tbl_filter(function(w) return api.nvim_win_get_cursor(w)[1] >= last end, vim.fn.win_findbuf(o.buf))
  local spans = {}
  for i, raw in ipairs(found) do shown[i], spans[i], o.style = ansi.line(raw, o.style) end
  shown[#found + 1], spans[#found + 1] = ansi.line(o.rest, o.style)
  vim.bo[o.buf].modifiable = true
  api.nvim_buf_set_lines(o.buf, o.line, -1, false, shown)
  for i, row in ipairs(spans) do
    for _, span in ipairs(row) do
      api.nvim_buf_set_extmark(o.buf, namespace, o.line + i - 1, span[1], { end_col = span[2], hl_group = span[3] })
    end
  end
  o.line = o.line + #found
  trim(o)
  vim.bo[o.buf].modifiable = false
  for _, window in ipairs(followers) do api.nvim_win_set_cursor(window, { api.nvim_buf_line_count(o.buf), 0 }) end
end

function flush()
  local deadline = vim.uv.hrtime() + SLICE
  while dirty[1] and vim.uv.hrtime() < deadline do
    local o = table.remove(dirty, 1)
    if o.first <= o.newest and api.nvim_buf_is_loaded(o.buf) then
      local taken, size = {}, 0
      repeat
        taken[#taken + 1], o.texts[o.first] = o.texts[o.first], nil
        o.first, size = o.first + 1, size + #taken[#taken]
      until o.first > o.newest or size >= PIECE
      o.waiting = o.waiting - size
      show(o, table.concat(taken))
      dirty[#dirty + 1] = o
    else
      o.dirty = false
      if o.shown then o.shown() end
    end
  end
  if dirty[1] then arm(2) end -- until then keys and the screen have their turn
end

-- close_off adds the line that tells how a task has ended.
local function close_off(o)
  if not o.task.finishedAt or o.ended then return end
  o.ended = true
  add(o, ('\27[0m%s[%s after %s%s]'):format(o.unfinished and '\n' or '', tasks.state(o.task), tasks.duration(o.task),
    o.task.error and ': ' .. o.task.error.message:gsub('%c', ' ') or ''))
end

-- finish asks how a task has ended once all that it wrote is there.
local function finish(o)
  o.task = rpc.call('status', { id = o.id, includeInput = true })
  close_off(o)
  flush()
end

-- follow shows the tail of what a task has written, and what it writes until its end. The
-- program makes one text of it, and goes on where the server has ended.
local function follow(o)
  local viewer, first, said = nil, true, ''
  local function heard(chunk)
    if o.viewer ~= viewer then return end -- another one has begun
    if first then
      local count
      chunk, count = chunk:gsub('^%[%d+ bytes before this are not shown%]', '[older output is not shown; P shows more of it]')
      first, o.older = false, count > 0
    end
    add(o, chunk)
  end
  local function ended(code)
    if o.viewer ~= viewer then return end
    if code ~= 0 then return rpc.say(said, vim.log.levels.ERROR) end
    o.read = true
    finish(o)
  end
  local command = { config.program, 'logs', '--viewer', '--follow', '--tail-bytes', tostring(o.tail), o.id }
  viewer = rpc.spawn(vim.list_extend(command, config.args), nil, heard, function(chunk) said = said .. chunk end, function(code) rpc.go(ended, code) end)
  o.viewer = viewer
end

local function unfollow(o)
  local viewer = o.viewer
  o.viewer = nil
  if viewer then viewer.kill() end
end

-- clear makes a buffer as if nothing had come yet.
local function clear(o)
  o.texts, o.first, o.newest, o.waiting, o.gone, o.line = {}, 1, 0, 0, 0, 0
  o.rest, o.style, o.older, o.read, o.ended, o.unfinished = '', {}, false, false, false, false
  vim.bo[o.buf].modifiable = true
  api.nvim_buf_set_lines(o.buf, 0, -1, false, {})
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
  options = vim.tbl_extend('force', { number = false, relativenumber = false, signcolumn = 'no', wrap = false }, options or {})
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
  clear(o)
  opened[id], vim.b[o.buf].jobline_task = o, id
  api.nvim_create_autocmd('BufUnload', { buffer = o.buf, callback = function()
    opened[id] = nil
    unfollow(o)
  end })
  follow(o)
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
  if not o.older then return rpc.say('all of the output that is kept is shown') end
  o.tail = o.tail * 2
  unfollow(o)
  clear(o)
  follow(o)
end

--- Calls done with the buffer and the task once all that has come is shown.
function M.when_shown(id, done)
  local o = opened[id]
  function o.shown()
    if not o.ended then return end
    o.shown = nil
    done(o.buf, o.task)
  end
  if not o.dirty then o.shown() end
end

--- Goes on after a new connection was made.
function M.connected()
  for _, o in pairs(opened) do
    if o.read and not o.ended then rpc.go(finish, o) end
  end
end

return M
