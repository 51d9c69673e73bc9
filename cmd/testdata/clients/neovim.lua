-- Runs tasks on jobline through Neovim's own JSON-RPC client.
local exit
local tasks = {} -- what was shown of each task or subscription, by its id

local dispatchers = {
  notification = function(method, params)
    local id = params.id or params.subscription
    local task = tasks[id] or { events = {}, output = '' }
    tasks[id] = task
    local event = method:match('/(.*)')
    if not vim.tbl_contains(task.events, event) then table.insert(task.events, event) end
    if event == 'output' then task.output = task.output .. params.data end
    if event == 'finished' then task.state = params.state end
  end,
  on_exit = function(code) exit = code end,
}

-- Newer versions take the command as one list, older ones its arguments apart.
local ok, server = pcall(vim.lsp.rpc.start, { 'jobline', 'serve' }, dispatchers)
if not ok then server = vim.lsp.rpc.start('jobline', { 'serve' }, dispatchers) end
assert(server, 'jobline could not be started: is it in PATH?')

local function await(what, condition)
  local function over() return condition() or exit end
  assert(vim.wait(10000, over, 10), 'waited in vain for ' .. what)
  if vim.wait(1000, condition, 10) then return end -- a reply may come after the exit
  local log = vim.fn.readfile(require('vim.lsp.log').get_filename(), '', -1) -- ends with what the server said last
  error(('jobline ended with exit code %d: %s'):format(exit, log[1]))
end

-- A plug-in gives the callback its work instead of waiting for it.
local function call(method, params)
  local done, err, result = false, nil, nil
  server.request(method, params, function(e, r) done, err, result = true, e, r end)
  await(method, function() return done end)
  return result, err
end

local function say(...) io.stdout:write(table.concat(vim.tbl_map(tostring, { ... }), ' '), '\n') end
local function story(id) return tasks[id].state .. ' after ' .. table.concat(tasks[id].events, ' ') end

-- An id of our own makes it safe to submit again: any UUID will do.
local nap = {
  id = '7d1b2c9e-0b6f-4c55-9d0e-3a4f5b6c7d8e', type = 'sleep',
  input = { durationMs = 50, progressEveryMs = 10 },
}
say('submitted sleep, known before:', call('submit', nap).existing or false)
say('submitted sleep, known before:', call('submit', nap).existing or false)
call('wait', { ids = { nap.id } })
say('sleep', story(nap.id))

local echo = call('submit', {
  type = 'exec', input = { argv = { 'echo', 'héllo ✓' } },
  events = { 'started', 'progress', 'output', 'finished' },
})
call('wait', { ids = { echo.id } })
say('exec wrote', vim.trim(tasks[echo.id].output))
say('exec', story(echo.id))

local _, err = call('submit', { type = 'slep' })
say('error', err.code, err.data.kind, 'retryable:', err.data.retryable)

local long = call('submit', { type = 'exec', input = { argv = { 'sleep', '600' } } })
await('task/started', function() return tasks[long.id] end)
say('cancel:', call('cancel', { id = long.id, reason = 'enough' }).outcome)

local all = call('wait', { ids = { nap.id, echo.id, long.id } }).tasks
say('exec', story(long.id))
say('all:', unpack(vim.tbl_map(function(task) return task.state end, all)))

say('shutdown, left:', call('shutdown').left)
await('the exit', function() return exit end)
say('exit', exit)
