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
local ASK = 256 * 1024 -- bytes that are asked for at once
local TAIL = 256 * 1024 -- bytes of each stream that are shown first
local LONGEST = 4096 -- bytes of a line; what is longer goes on in the next

local namespace = api.nvim_create_namespace('jobline_output')
local opened = {} -- what is known of each buffer, by the id of its task
local dirty = {} -- those that have something to show, the next one first
local timer = vim.uv.new_timer()
local subscription, flush

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

local function decoded(piece) return piece.encoding == 'base64' and vim.base64.decode(piece.data) or piece.data or '' end

--- Shows a piece of a stream, or keeps it until what is before it is there.
function M.received(piece)
  local o = opened[piece.id]
  if not o then return end
  if o.held then return table.insert(o.held, piece) end
  if piece.stream == 'log' and o.ordered then return end -- it tells the order of the others
  local data, from = decoded(piece), o.next[piece.stream]
  local stop = piece.offset + #data
  if piece.offset > from then add(o, ('\n[%d bytes were skipped]\n'):format(piece.offset - from)) end
  o.next[piece.stream] = math.max(from, stop)
  add(o, data:sub(math.max(0, from - piece.offset) + 1))
end

-- fetch asks for a part of a stream, piece by piece, as far as it is kept.
local function fetch(o, stream, from, to)
  local texts, first = {}, nil
  while from < to do
    local piece = rpc.call('output', { id = o.id, stream = stream, offset = from, limit = math.min(ASK, to - from) })
    if piece.data == '' then break end
    first, from, texts[#texts + 1] = first or piece.offset, piece.nextOffset, decoded(piece)
  end
  return { text = table.concat(texts), from = first or to }
end

-- merged joins both streams as they were written: each line of the log is a stream and
-- the offset up to which it was written before the other went on.
local function merged(log, streams)
  local texts = {}
  for stream, offset in (log .. 'stdout 1e15\nstderr 1e15\nlog 1e15\n'):gmatch('(%l+) (%w+)\n') do
    local s, length = streams[stream], 0
    if s then
      length = math.max(0, math.min(tonumber(offset) - s.from, #s.text))
      texts[#texts + 1] = s.text:sub(1, length)
      s.text, s.from = s.text:sub(length + 1), s.from + length
    end
  end
  return table.concat(texts)
end

-- close_off adds the line that tells how a task has ended.
local function close_off(o)
  if not o.task.finishedAt or o.ended then return end
  o.ended = true
  add(o, ('\27[0m%s[%s after %s%s]'):format(o.unfinished and '\n' or '', tasks.state(o.task), tasks.duration(o.task),
    o.task.error and ': ' .. o.task.error.message:gsub('%c', ' ') or ''))
end

-- load shows what a task has written: from where the buffer is, or else the tail.
local function load(o)
  o.held = {}
  o.task = rpc.call('status', { id = o.id, includeInput = true })
  local bytes, streams, log = o.task.outputBytes or {}, {}, ''
  o.ordered = (o.task.input or {}).stderr == 'ordered'
  for _, name in ipairs(o.ordered and { 'stdout', 'stderr' } or { 'stdout', 'stderr', 'log' }) do
    local to = bytes[name] or 0
    local s = fetch(o, name, o.next[name] or math.max(0, to - o.tail), to)
    if not o.next[name] and s.from > 0 and s.text ~= '' then
      local cut = s.text:find('\n', 1, true) or 0
      s.text, s.from, o.older = s.text:sub(cut + 1), s.from + cut, true
    end
    streams[name], o.next[name] = s, to
  end
  if o.ordered and streams.stdout.text ~= '' and streams.stderr.text ~= '' then
    log = fetch(o, 'log', 0, bytes.log or 0).text
  end
  if o.older and o.newest == 0 then add(o, '[older output is not shown; P shows more of it]\n') end
  add(o, merged(log, streams))
  local held = o.held
  o.held = nil
  for _, piece in ipairs(held) do M.received(piece) end
  close_off(o)
  flush()
end

-- once_at_a_time makes a function that may wait, and does not run twice at once: a call while it
-- waits lets it run once more, since what it was told may be old by then.
local function once_at_a_time(f)
  local runs, again
  return function()
    again = runs
    if runs then return end
    runs = true
    repeat
      again = false
      local ok, err = pcall(f)
      again = again and rpc.is_connected()
      if not ok and not again then
        runs = false
        error(err, 0)
      end
    until not again
    runs = false
  end
end

-- subscribe asks for the output of all tasks that have a buffer and go on, and then takes back
-- what it asked for before.
local subscribe = once_at_a_time(function()
  local ids, before = {}, subscription
  for id, o in pairs(opened) do
    if not (o.task and o.task.finishedAt) then ids[#ids + 1] = id end
  end
  subscription = ids[1] and rpc.call('subscribe', { ids = ids, events = { 'output' } }).subscription
  if before then rpc.call('unsubscribe', { subscription = before }) end
end)

-- clear makes a buffer as if nothing had come yet.
local function clear(o)
  o.texts, o.first, o.newest, o.waiting, o.gone, o.line = {}, 1, 0, 0, 0, 0
  o.rest, o.style, o.next, o.held, o.older, o.ended, o.unfinished = '', {}, {}, {}, false, false, false
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
  o.load = once_at_a_time(function() load(o) end)
  clear(o)
  opened[id], vim.b[o.buf].jobline_task = o, id
  api.nvim_create_autocmd('BufUnload', { buffer = o.buf, callback = function()
    opened[id] = nil
    if rpc.is_connected() then rpc.go(subscribe) end
  end })
  rpc.go(subscribe)
  rpc.go(o.load)
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
  clear(o)
  rpc.go(o.load)
end

--- Calls done with the buffer and the task once all that has come is shown.
function M.when_shown(id, done)
  local o = opened[id]
  function o.shown()
    if o.held or not o.ended then return end
    o.shown = nil
    done(o.buf, o.task)
  end
  if not o.dirty then o.shown() end
end

--- Notes the end of a task. What was skipped at its end is asked for.
function M.finished(task)
  local o = opened[task.id]
  if o then rpc.go(o.load) end
end

--- Goes on with all buffers after a new connection was made.
function M.connected()
  subscription = nil
  if next(opened) then rpc.go(subscribe) end
  for _, o in pairs(opened) do
    if not o.ended then rpc.go(o.load) end
  end
end

return M
