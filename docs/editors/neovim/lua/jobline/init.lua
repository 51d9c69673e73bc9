-- The commands of :Jobline, what events do, and what is kept for the next session.
local config = require('jobline.config')
local list = require('jobline.list')
local output = require('jobline.output')
local rpc = require('jobline.rpc')
local tasks = require('jobline.tasks')

local M = {}

local CHUNK = 200 -- lines that the errorformat is tried on at once
local MOST_LINES = 20000 -- of an output that are looked at for errors, the last ones
local ME = vim.uv.os_getpid()
local WRITE_AFTER = 2000 -- milliseconds until a change is in the file
local EVENTS = { 'started', 'progress', 'finished' }

local state_file = vim.fn.stdpath('state') .. '/jobline.json'
local state = { open = {} } -- seq: the highest that was seen; open: own tasks that have not ended, by id
local last -- the id of the task that was submitted last
local away -- while the past is replayed: ends by state
local focused, write_soon = true, false

local function key() return table.concat({ config.program, unpack(config.args) }, ' ') end

local function read_state()
  local ok, all = pcall(function() return vim.json.decode(table.concat(vim.fn.readfile(state_file))) end)
  return ok and type(all) == 'table' and all or {}
end

-- kept parts the tasks in the file into those of windows that are open, and those that
-- were left behind.
local function kept(all)
  local others, left = vim.empty_dict(), {}
  for id, own in pairs((all[key()] or {}).open or {}) do
    local pid = type(own) == 'table' and tonumber(own.pid) or 0
    if pid > 0 and pid ~= ME then (vim.uv.kill(pid, 0) == 0 and others or left)[id] = own end
  end
  return others, left
end

local function write_state()
  write_soon = false
  local all = read_state()
  all[key()] = { seq = state.seq, open = vim.tbl_extend('force', kept(all), state.open) }
  vim.fn.mkdir(vim.fn.fnamemodify(state_file, ':h'), 'p')
  vim.fn.writefile({ vim.json.encode(all) }, state_file .. '.new')
  vim.uv.fs_rename(state_file .. '.new', state_file)
end

local function state_changed()
  if not write_soon then vim.defer_fn(function() if write_soon then write_state() end end, WRITE_AFTER) end
  write_soon = true
end

-- submit runs submit or retry, and looks after the task that it makes. It answers its
-- id, or nil and why there is none.
local function submit(own, name, ...)
  rpc.call('stats', vim.empty_dict()) -- fails where there is no server
  local id, why = tasks.jobline(own.dir, name, unpack(vim.list_extend(vim.deepcopy(config.args), { ... })))
  if not id then return nil, why end
  own.pid, state.open[id], last = ME, own, id
  state_changed()
  list.changed()
  local task = rpc.call('status', { id = id })
  if task.startedAt and state.open[id] then rpc.on['task/started'](task) end
  if task.finishedAt and state.open[id] then rpc.on['task/finished'](task) end
  return id
end

local function must(id, why) return id or error({ message = why }, 0) end

local owner = { '--label', 'owner=Neovim' }

-- fill makes a quickfix list of the output of a task, in pieces: the list keeps what an
-- errorformat of several lines, or of folders, has seen before.
local function fill(buf, own, done)
  local count, enter = vim.api.nvim_buf_line_count(buf), "jobline: in the folder '%s'"
  local at, efm = math.max(0, count - MOST_LINES), '%D' .. enter:format('%f') .. ',' .. own.efm
  vim.fn.setqflist({}, ' ', { title = ':Jobline run ' .. own.what, nr = '$', efm = efm, lines = { enter:format(own.dir) } })
  local id = vim.fn.getqflist({ nr = '$', id = 0 }).id
  local function step()
    if not vim.api.nvim_buf_is_valid(buf) or at >= count then return done() end
    vim.fn.setqflist({}, 'a', { id = id, lines = vim.api.nvim_buf_get_lines(buf, at, at + CHUNK, false), efm = efm })
    at = at + CHUNK
    vim.defer_fn(step, 1)
  end
  step()
end

local function errors(id, own, done)
  output.buffer(id)
  output.when_shown(id, function(buf, task)
    own = own or { what = tasks.what(task), efm = vim.o.errorformat }
    own.dir = task.input.dir or vim.fn.getcwd()
    fill(buf, own, done)
  end)
end

local function notice(task, own)
  if not config.notify or focused and (own.opens or output.visible(task.id)) then return end
  local level = task.state == 'completed' and vim.log.levels.INFO or vim.log.levels.WARN
  rpc.say(('%s: %s after %s'):format(own.what, tasks.state(task), tasks.duration(task)), level)
end

-- seen notes an event of all tasks, and answers what is known of an own one.
local function seen(event)
  state.seq = math.max(state.seq or 0, event.seq or 0)
  list.changed()
  return state.open[event.id]
end

rpc.on['task/started'] = function(event)
  local own = seen(event)
  if own then rpc.progress(event.id, { kind = 'begin', title = own.what, cancellable = true }) end
end

rpc.on['task/progress'] = function(event)
  if not seen(event) then return end
  local total = event.total and event.total > 0 and event.total
  local message = event.progress .. (total and '/' .. total or '') .. ' ' .. (event.unit or '') .. ' ' .. (event.message or '')
  rpc.progress(event.id, { kind = 'report', message = vim.trim(message:gsub('%c', ' ')), cancellable = true,
    percentage = total and math.floor(math.min(1, event.progress / total) * 100) or nil })
end

rpc.on['task/finished'] = function(task)
  local own = seen(task)
  if not own then return end
  state.open[task.id] = nil
  state_changed()
  rpc.progress(task.id, { kind = 'end', message = tasks.state(task) })
  if away then
    away[task.state] = (away[task.state] or 0) + 1
  elseif own.efm and task.state == 'failed' and config.quickfix then
    errors(task.id, own, function() notice(task, own) end)
  else
    notice(task, own)
  end
end

rpc.on['subscription/replayed'] = function()
  local told = {}
  for _, name in ipairs({ 'completed', 'failed', 'cancelled' }) do
    if away and away[name] then told[#told + 1] = away[name] .. ' ' .. name end
  end
  away = nil
  if told[1] then rpc.say('finished while you were away: ' .. table.concat(told, ', ')) end
end

-- follow asks for the events of all tasks, from where the last session has ended. Where
-- those are gone, it asks how each own task is.
local function follow()
  away = state.seq and {} -- without a seq there is no past to replay
  local err, result = rpc.await(rpc.request, 'subscribe', { events = EVENTS, after = state.seq })
  if not err then state.seq = state.seq or result.seq return end
  if err.told then return end
  state.seq = rpc.call('subscribe', { events = EVENTS }).seq
  for id in pairs(vim.deepcopy(state.open)) do
    local gone, task = rpc.await(rpc.request, 'status', { id = id })
    if gone then state.open[id] = nil elseif task.finishedAt then rpc.on['task/finished'](task) end
  end
  rpc.on['subscription/replayed']()
end

rpc.on.connected = function()
  if not state.seq then
    local all = read_state()
    state.seq = tonumber((all[key()] or {}).seq)
    for id, own in pairs(select(2, kept(all))) do
      own.pid, state.open[id] = ME, own
      state_changed()
    end
  end
  rpc.go(follow)
  rpc.go(tasks.read_types)
  output.connected()
  list.changed()
end

--- Connects where tasks of an earlier session had not ended.
function M.resume()
  if next(select(2, kept(read_state()))) then rpc.connect() end
end

local commands = {}

function commands.run(line, bang)
  line = line ~= '' and line or vim.trim((vim.o.makeprg:gsub('%$%*', '')))
  local own = { what = line, efm = vim.o.errorformat, dir = vim.fn.getcwd(), opens = bang or nil }
  local id = must(submit(own, 'submit', unpack(vim.list_extend(vim.deepcopy(owner), tasks.command(line)))))
  if bang then output.open(id) end
  own.opens = nil -- from now on its window tells whether somebody looks
end

-- submit asks again where the input is wrong. What was written stays.
function commands.submit(arguments)
  local name, written = arguments:match('^(%S+)%s*(.*)$')
  if not name then
    local choice = rpc.await(vim.ui.select, tasks.read_types(), {
      prompt = 'Submit a task of the type',
      format_item = function(t) return ('%-24s %s'):format(t.name, t.description) end,
    })
    name, written = choice and choice.name, ''
  end
  local id, why, asked = nil, nil, arguments ~= ''
  while name and not id do
    if not asked or why then
      M.asking = name
      written = rpc.await(vim.ui.input, { prompt = (why and why .. '\n' or '') .. name .. ' ', default = written,
        completion = "customlist,v:lua.require'jobline'.complete_input" })
      if not written then return end
    end
    asked = true
    id, why = submit({ what = vim.trim(name .. ' ' .. written) }, 'submit', unpack(vim.list_extend(vim.deepcopy(owner), tasks.input(name, written))))
  end
end

-- on_task makes a command of a task: that which is named, that of this buffer, or one
-- that the person chooses.
local function on_task(states, prompt, action)
  return function(part) action(tasks.pick(part ~= '' and part or vim.b.jobline_task, states, prompt)) end
end

local ENDED, GOING_ON = { 'completed', 'failed', 'cancelled' }, { 'queued', 'running' }

commands.again = on_task(ENDED, 'Run again', function(id)
  local task = rpc.call('status', { id = id, includeInput = true })
  must(submit({ what = tasks.what(task), efm = task.type == 'exec' and vim.o.errorformat or nil }, 'retry', id))
end)

commands.logs = function(part)
  on_task(nil, 'Output of', output.open)(part == '' and not vim.b.jobline_task and last or part)
end

commands.errors = on_task(ENDED, 'Errors of', function(id) errors(id, nil, function() vim.cmd('botright copen') end) end)

commands.cancel = on_task(GOING_ON, 'Cancel', function(id)
  local result = rpc.call('cancel', { id = id, reason = 'cancelled in Neovim' })
  if result.outcome == 'alreadyFinished' then rpc.say('the task had ended already') end
end)

commands.list = list.open

function commands.top()
  local command = vim.list_extend({ config.program, 'top' }, config.args)
  if not rpc.connect() then return end
  vim.cmd.tabnew()
  if vim.fn.has('nvim-0.11') == 1 then vim.fn.jobstart(command, { term = true }) else vim.fn.termopen(command) end
  vim.cmd.startinsert()
end

function commands.doctor() vim.cmd.checkhealth('jobline') end

--- Does what :Jobline says.
function M.command(command)
  rpc.by_user()
  local name, arguments = vim.trim(command.args):match('^(%S*)%s*(.*)$')
  local action = commands[name == '' and 'list' or name]
  if action then return rpc.go(action, arguments, command.bang) end
  rpc.say(('no command is named %s; there are %s'):format(name, table.concat(M.complete('', 'Jobline '), ', ')), vim.log.levels.ERROR)
end

--- Completes :Jobline; the line ends where the cursor is.
function M.complete(lead, line)
  local name, rest = line:match('Jobline!?%s+(%S+)%s+(.*)$')
  local words = vim.tbl_keys(commands)
  if name == 'run' then return vim.fn.getcompletion(lead, rest == lead and 'shellcmd' or 'file') end
  if name == 'submit' then
    rpc.connect()
    local type_name, before = rest:match('^(%S+)%s+(.*)$')
    if type_name then return tasks.complete_input(type_name, lead, before) end
    words = vim.tbl_keys(tasks.types)
  elseif name then
    words = vim.tbl_map(function(task) return tasks.short(task.id) end, tasks.known)
  end
  table.sort(words)
  return vim.tbl_filter(function(word) return vim.startswith(word, lead) end, words)
end

--- Completes at the prompt for an input.
function M.complete_input(lead, line, position)
  local word = lead:match('%S*$')
  local found = tasks.complete_input(M.asking, word, line:sub(1, position))
  return vim.tbl_map(function(other) return lead:sub(1, #lead - #word) .. other end, found)
end

local group = vim.api.nvim_create_augroup('jobline', {})
vim.api.nvim_create_autocmd({ 'FocusGained', 'FocusLost' }, { group = group, callback = function(e) focused = e.event == 'FocusGained' end })
vim.api.nvim_create_autocmd('VimLeavePre', { group = group, callback = function() if state.seq then write_state() end end })

return M
