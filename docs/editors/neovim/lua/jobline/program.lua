-- The program: its commands, and the one process `jobline view` that tells of all tasks and
-- of what they write. It starts and finds the server, also after that has ended.
local config = require('jobline.config')

local M = {
  rows = {}, -- the tasks as rows of a list, by id
  on = {}, -- what is done with each kind of line
}

local process -- `jobline view`, or nil
local wanted = false -- whether something was said to it
local asked = {} -- what is called when the rows are those of this moment

local function answer()
  local waiting = asked
  asked = {}
  for _, done in ipairs(waiting) do done() end
end

--- Says in one message what happened, or what is wrong.
function M.say(text, level)
  vim.schedule(function()
    text = vim.trim(text):gsub('^jobline: ', ''):gsub('%c', ' ')
    vim.notify('jobline: ' .. text, level or vim.log.levels.INFO, { title = 'jobline' })
  end)
end

--- Runs a function that may wait, by M.await, and tells an error that it raises.
function M.go(f, ...)
  coroutine.wrap(function(...)
    local ok, err = pcall(f, ...)
    if ok or type(err) == 'table' and err.told then return end
    M.say(type(err) == 'table' and err.message or err, vim.log.levels.ERROR)
  end)(...)
end

--- Waits for what f calls back with, without holding up the editor.
function M.await(f, ...)
  local co, arguments = coroutine.running(), { ... }
  arguments[#arguments + 1] = vim.schedule_wrap(function(...) assert(coroutine.resume(co, ...)) end)
  f(unpack(arguments))
  return coroutine.yield()
end

-- spawn starts a command of jobline in a folder, and answers what writes to its stdin. on_exit gets
-- its exit code, nil where it could not be started, and what it has said. It comes when all was
-- read; vim.system of Neovim 0.10 does not wait for that, and loses the end of what a program writes.
local function spawn(name, arguments, dir, on_stdout, on_exit)
  local stdin, stdout, stderr = vim.uv.new_pipe(), vim.uv.new_pipe(), vim.uv.new_pipe()
  local left, said, handle, code = 3, '', nil, nil
  local function over(closed)
    closed:close()
    left = left - 1
    if left > 0 then return end
    said = vim.trim(said):gsub('^jobline: ', '')
    if said == '' then said = ('`%s %s` has ended with code %d'):format(config.program, name, code) end
    vim.schedule(function() on_exit(code, said) end)
  end
  arguments = vim.list_extend(vim.list_extend({ name }, config.args), arguments)
  local options = { args = arguments, stdio = { stdin, stdout, stderr }, cwd = dir, hide = true }
  handle = vim.uv.spawn(config.program, options, function(result)
    code = result
    stdin:close()
    over(handle)
  end)
  if not handle then
    for _, pipe in ipairs({ stdin, stdout, stderr }) do pipe:close() end
    local cure = 'cannot be started: install it, or set program in vim.g.jobline'
    vim.schedule(function() on_exit(nil, ('`%s` %s'):format(config.program, cure)) end)
    return nil
  end
  stdout:read_start(function(_, chunk) if chunk then on_stdout(chunk) else over(stdout) end end)
  stderr:read_start(function(_, chunk) if chunk then said = (said .. chunk):sub(-4096) else over(stderr) end end)
  return function(text) if not stdin:is_closing() then stdin:write(text) end end
end

--- Runs a command in a folder, and answers what it prints, or nil and why it failed.
function M.run(dir, name, ...)
  local printed, here = {}, dir or vim.fn.getcwd()
  local code, said = M.await(spawn, name, { ... }, here, function(chunk) printed[#printed + 1] = chunk end)
  if code == 0 then return vim.trim(table.concat(printed)) end
  return nil, said
end

--- As M.run in the folder of the editor, but raises why it failed.
function M.must(...)
  local printed, why = M.run(nil, ...)
  return printed or error({ message = why }, 0)
end

-- heard does what one line of the process says.
local function heard(line)
  for kind, value in pairs(vim.json.decode(line)) do
    if kind == 'rows' then
      if value.whole then M.rows = {} end
      for _, id in ipairs(value.gone) do M.rows[id] = nil end
      for _, row in ipairs(value.set) do M.rows[row.id] = row end
    elseif kind == 'say' then
      M.say(value.text, vim.log.levels[value.level:upper()])
    end
    if M.on[kind] then M.on[kind](value) end
    if kind == 'rows' and value.asked then answer() end
  end
end

-- reader answers what takes chunks, and hears each line of them.
local function reader()
  local rest = ''
  return function(chunk)
    local lines = vim.split(rest .. chunk, '\n', { plain = true })
    rest = table.remove(lines)
    for _, line in ipairs(lines) do vim.schedule(function() heard(line) end) end
  end
end

--- Starts `jobline view`, unless it runs. Answers whether it runs. With resume it ends at once
--- where no tasks are left of an earlier session, and says nothing.
function M.start(resume)
  if process then return true end
  local arguments = { '--name', 'Neovim', '--older-key', 'P', '--limit=' .. config.list_limit, resume and '--resume' }
  process = spawn('view', arguments, nil, reader(), function(code, said)
    process = nil
    if code == 0 and wanted then return M.start() end
    if code ~= 0 and (code or not resume) then M.say(said, vim.log.levels.ERROR) end
    answer()
  end)
  wanted = false
  if process and not resume then M.on.begun() end
  return process ~= nil
end

--- Says a line to `jobline view`, which is started where it does not run.
function M.tell(command, ...)
  if not process and (command == 'close' or not M.start()) then return end
  wanted = true
  process(table.concat({ command, ... }, ' ') .. '\n')
end

--- Calls done when the rows are those of this moment; live says whether the list is shown.
function M.refresh(live, done)
  asked[#asked + 1] = done
  M.tell('list', live and 'on' or 'off')
end

--- The rows, the newest first.
function M.sorted()
  local found = vim.tbl_values(M.rows)
  table.sort(found, function(a, b) return a.id > b.id end)
  return found
end

--- The words that the last word of TYPE KEY=VALUE… may be.
function M.complete(typed)
  local command = vim.list_extend({ config.program, 'types', '--complete', typed }, config.args)
  return vim.fn.executable(config.program) == 1 and vim.fn.systemlist(command) or {}
end

return M
