-- Asking for tasks, telling of them in words, and making new ones. Functions that wait
-- are to be called within rpc.go.
local config = require('jobline.config')
local rpc = require('jobline.rpc')

local M = { known = {}, types = {} } -- the tasks that were listed last; the types by name

local inputs = {} -- of tasks that were listed last, by id: no input ever changes

-- seconds is a time of the server as seconds since a moment that is always the same.
local function seconds(time)
  local y, mo, d, h, mi, s = time:match('(%d+)-(%d+)-(%d+)T(%d+):(%d+):([%d.]+)')
  return os.time({ year = y, month = mo, day = d, hour = h, min = mi, sec = 0, isdst = false }) + tonumber(s)
end

--- How long a task has run, or waits.
function M.duration(task)
  local now = os.date('!%Y-%m-%dT%H:%M:%S')
  local s = math.max(0, seconds(task.finishedAt or now) - seconds(task.startedAt or task.createdAt))
  if s < 60 then return (s < 10 and '%.1fs' or '%ds'):format(s) end
  return (s < 3600 and '%dm%02ds' or '%dh%02dm'):format(s / (s < 3600 and 60 or 3600), s < 3600 and s % 60 or s / 60 % 60)
end

--- The state of a task, with the code of its exit.
function M.state(task)
  local err = task.state == 'failed' and task.error
  return task.state .. (err and ' ' .. (err.exitCode and 'exit ' .. err.exitCode or err.signal or err.kind) or '')
end

--- What a task does, in one line: the command line, or the type and its input.
function M.what(task)
  local input, text = task.input or {}, task.type
  if text == 'exec' and type(input.argv) == 'table' then
    text = #input.argv == 3 and input.argv[2] == '-c' and input.argv[3] or table.concat(input.argv, ' ')
  elseif next(input) then
    text = text .. ' ' .. vim.json.encode(input)
  end
  return (text:gsub('%c', ' '))
end

--- The end of an id, by which a person names a task.
function M.short(id) return id:sub(-8) end

--- Lists tasks together with their inputs, and says whether there are more.
function M.list(params)
  local result, kept = rpc.call('list', params), {}
  for _, task in ipairs(result.tasks) do
    local id = task.id
    kept[id] = inputs[id] or rpc.call('status', { id = id, includeInput = true }).input or vim.empty_dict()
    task.input = kept[id]
  end
  if not (params.id or params.states) then inputs, M.known = kept, result.tasks end -- else it is a part of them
  return result.tasks, result.nextCursor ~= nil
end

--- Finds the id of the task that a person names by a part of it; without one, of the
--- states that are given, it lets the person choose.
function M.pick(part, states, prompt)
  local found = M.list({ id = part, states = not part and states or nil, limit = part and 2 or 50 })
  if part and #found == 1 then return found[1].id end
  if part or #found == 0 then
    local what = part and (#found == 0 and 'no task has' or 'several tasks have') .. ' the id ' .. part or 'there is no such task'
    error({ message = what .. '; :Jobline list shows all' }, 0)
  end
  local choice = rpc.await(vim.ui.select, found, {
    prompt = prompt,
    format_item = function(task) return ('%s  %-14s %s'):format(M.short(task.id), M.state(task), M.what(task)) end,
  })
  return choice and choice.id or error({ told = true }, 0)
end

--- Runs a command of jobline in a folder, such as submit, and answers what it prints, or nil and
--- what it says. A task is submitted so, and not by a request, since the
--- command knows how its directory, environment and secrets reach it.
function M.jobline(dir, ...)
  local command, stdout, stderr = vim.list_extend({ config.program }, { ... }), {}, {}
  local code = rpc.await(function(done)
    local started = rpc.spawn(command, dir, function(chunk) stdout[#stdout + 1] = chunk end, function(chunk) stderr[#stderr + 1] = chunk end, done)
    if not started then done(nil) end
  end)
  if not code then return nil, ('`%s` cannot be started'):format(config.program) end
  if code == 0 then return vim.trim(table.concat(stdout)) end
  return nil, (vim.trim(table.concat(stderr)):gsub('^jobline: ', ''))
end

--- The arguments of submit for a command line, which the user's shell runs as :make does.
function M.command(line)
  local arguments = vim.split('-- ' .. vim.o.shell .. ' ' .. vim.o.shellcmdflag, ' ', { trimempty = true })
  arguments[#arguments + 1] = line
  return arguments
end

--- The arguments of submit for a type and its input as a person writes it: an object in
--- JSON, or NAME=VALUE with spaces between. A value goes on to the next name.
function M.input(name, written)
  written = vim.trim(written)
  if written:find('^{') then return { name, '--input', written } end
  local arguments, at = { name }, 1
  while at <= #written do
    local stop = written:find('%s+[%w_.]+=', at) or #written + 1
    vim.list_extend(arguments, { '--set', written:sub(at, stop - 1) })
    at = written:match('^%s*()', stop)
  end
  return arguments
end

--- Asks for the types that the server offers, and keeps them.
function M.read_types()
  local types = rpc.call('types', vim.empty_dict()).types
  for _, t in ipairs(types) do M.types[t.name] = t end
  return types
end

--- Completes the last word of an input: names of members, and values that the schema has.
function M.complete_input(name, lead, before)
  local members = M.types[name] and M.types[name].inputSchema.properties or {}
  local member, words = lead:match('^([%w_]+)='), {}
  if member then
    local s = members[member] or {}
    for _, value in ipairs(s.enum or s.type == 'boolean' and { true, false } or { s.default or s.minimum }) do
      words[#words + 1] = member .. '=' .. tostring(value)
    end
  else
    for other in vim.spairs(members) do
      if not (' ' .. before):find(' ' .. other .. '=', 1, true) then words[#words + 1] = other .. '=' end
    end
  end
  return vim.tbl_filter(function(word) return vim.startswith(word, lead) end, words)
end

return M
