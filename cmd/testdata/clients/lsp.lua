-- Drives jobline as Neovim drives any language server: vim.lsp.start sends initialize,
-- and stop sends shutdown and exit.
local tasks = {} -- what was told of each task, by its id
local exit
local config = {
  name = 'jobline', cmd = { 'jobline', 'attach' }, root_dir = vim.fn.getcwd(),
  handlers = {
    ['task/started'] = function(_, params) tasks[params.id] = 'running' end,
    ['task/finished'] = function(_, params) tasks[params.id] = params.state end,
    ['task/progress'] = function() end,
  },
  on_exit = function(code) exit = code end,
}

local function await(what, condition) assert(vim.wait(10000, condition, 10), 'waited in vain for ' .. what) end
local function say(...) io.stdout:write(table.concat(vim.tbl_map(tostring, { ... }), ' '), '\n') end

-- Before 0.8 there was start_client, which start calls.
local function start()
  exit = nil
  local id = (vim.lsp.start or vim.lsp.start_client)(config)
  local client = vim.lsp.get_client_by_id(id)
  await('initialize', function() return client.initialized end)
  return client
end

-- Newer versions have methods, older ones functions of the table.
local modern = vim.fn.has('nvim-0.11') == 1
local function call(client, method, params)
  local done, err, result = false, nil, nil
  local function replied(e, r) done, err, result = true, e, r end
  if modern then client:request(method, params, replied) else client.request(method, params, replied) end
  await(method, function() return done end)
  assert(not err, err and err.message)
  return result
end
-- A client that is about to go would be taken for the next one.
local function stop(client)
  if modern then client:stop() else client.stop() end
  await('the exit', function() return exit and not vim.lsp.get_client_by_id(client.id) end)
  say('exit', exit)
end

local client = start()
say('shared:', client.server_capabilities.shared)
local quick = call(client, 'submit', { type = 'exec', input = { argv = { 'true' } } })
await('its end', function() return tasks[quick.id] == 'completed' end)
say('owner', quick.labels.owner, quick.type, tasks[quick.id])
local long = call(client, 'submit', { type = 'exec', input = { argv = { 'sleep', '600' } } })
await('its start', function() return tasks[long.id] end)
stop(client) -- the task goes on

client = start()
say('after the stop:', call(client, 'status', { id = long.id }).state)
call(client, 'cancel', { id = long.id, reason = 'enough' })
say('then:', call(client, 'wait', { ids = { long.id } }).tasks[1].state)
stop(client)
