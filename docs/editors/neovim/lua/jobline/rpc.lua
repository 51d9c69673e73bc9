-- The connection: `jobline attach` speaks JSON-RPC, one message a line. Neovim takes it
-- for a language server, so that its own progress, list of clients and exit apply.
local config = require('jobline.config')

local M = { on = {} } -- on: what notifications do, and connected()

local LONGEST_DELAY = 30 -- seconds between two attempts to connect again
local PROTOCOL = '1'

local connection -- the one that is open, or nil
local attempts, retry = 0, vim.uv.new_timer() -- of connecting again
local down = false -- whether the server was told to shut down: then only a command starts another

--- Says in one message what happened, or what is wrong.
function M.say(text, level)
  vim.schedule(function()
    text = vim.trim(text):gsub('^jobline: ', ''):gsub('%c', ' ')
    vim.notify('jobline: ' .. text, level or vim.log.levels.INFO, { title = 'jobline' })
  end)
end

--- Runs a function that may wait, by M.await. An error that it raises is told, unless
--- that was done already.
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

--- Starts a program in a folder. Answers it, or nil where it cannot be started. on_exit gets
--- its exit code when all that it wrote was read; vim.system of Neovim 0.10 does not wait for
--- that, and loses the end of what a program writes.
function M.spawn(command, dir, on_stdout, on_stderr, on_exit)
  local stdin, stdout, stderr = vim.uv.new_pipe(), vim.uv.new_pipe(), vim.uv.new_pipe()
  local left, handle, code = 3, nil, nil
  local function over(closed)
    closed:close()
    left = left - 1
    if left == 0 then vim.schedule(function() on_exit(code) end) end
  end
  handle = vim.uv.spawn(command[1], { args = vim.list_slice(command, 2), stdio = { stdin, stdout, stderr }, cwd = dir, hide = true }, function(result)
    code = result
    stdin:close()
    over(handle)
  end)
  if not handle then
    for _, pipe in ipairs({ stdin, stdout, stderr }) do pipe:close() end
    return nil
  end
  stdout:read_start(function(_, chunk) if chunk then on_stdout(chunk) else over(stdout) end end)
  stderr:read_start(function(_, chunk) if chunk then on_stderr(chunk) else over(stderr) end end)
  return {
    write = function(_, text) if not stdin:is_closing() then stdin:write(text) end end,
    kill = function() if not handle:is_closing() then handle:kill('sigterm') end end,
  }
end

local function send(c, message)
  message.jsonrpc = '2.0'
  c.process:write(vim.json.encode(message) .. '\n')
end

local function call(c, method, params, callback)
  c.last = c.last + 1
  c.waiting[c.last], c.asked = callback, c.asked or method == 'shutdown'
  send(c, { id = c.last, method = method, params = params })
  return true, c.last
end

local function handle(c, line)
  local ok, message = pcall(vim.json.decode, line)
  if not ok or type(message) ~= 'table' then return end
  vim.schedule(function()
    local callback = message.id and c.waiting[message.id]
    if callback then
      c.waiting[message.id] = nil
      callback(message.error, message.result)
    elseif M.on[message.method] then
      M.on[message.method](message.params)
    end
  end)
end

local function read(c, chunk)
  local at, newline = 1, chunk:find('\n', 1, true)
  while newline do
    local line = table.concat(c.parts) .. chunk:sub(at, newline - 1)
    c.parts, at = {}, newline + 1
    handle(c, line)
    newline = chunk:find('\n', at, true)
  end
  c.parts[#c.parts + 1] = chunk:sub(at)
end

local function try_again()
  retry:start(math.min(2 ^ attempts, LONGEST_DELAY) * 1000, 0, vim.schedule_wrap(function() M.connect() end))
  attempts = attempts + 1
end

-- ended tells why a connection is over, in the last words of attach.
local function ended(c, code)
  c.over = true
  if connection == c then connection = nil end
  local reason = vim.trim(c.stderr):match('[^\n]*$')
  if reason == '' then reason = ('`%s attach` has ended with code %d'):format(config.program, code) end
  local told = not c.asked and (c.ready or attempts == 0)
  local next_step = down and '; the next command starts another' or '; connecting again'
  if told then M.say(c.ready and reason .. next_step or reason, vim.log.levels.ERROR) end
  for id, callback in pairs(c.waiting) do
    if id ~= 1 then callback({ message = reason, told = told }) end -- 1 is initialize, which must not fail
  end
  c.waiting = {}
  c.dispatchers.on_exit(0, 0)
  if not c.asked and (c.ready or attempts > 0) then try_again() end
end

local function refusal(err, result)
  if err then return err.message end
  if tostring(result.protocolVersion):match('^%d+') ~= PROTOCOL then
    return ('the server speaks version %s of the protocol, and this plug-in %s: update the older one'):format(result.protocolVersion, PROTOCOL)
  end
  return not result.capabilities.shared and 'the server is not one for several windows: update jobline' or nil
end

-- transport is what Neovim's client of language servers calls.
local function transport(c)
  return {
    request = function(method, params, callback, replied)
      local id = c.last + 1
      return not c.over and call(c, method, params, function(err, result)
        local wrong = method == 'initialize' and refusal(err, result)
        if wrong then
          c.stderr = wrong
          return c.process:kill()
        end
        c.ready, attempts, down = true, 0, false
        if replied then replied(id) end
        callback(err, result)
        if method == 'initialize' then M.on.connected() end
      end)
    end,
    notify = function(method, params)
      if c.over then return false end
      if method == 'window/workDoneProgress/cancel' then
        M.go(M.call, 'cancel', { id = params.token })
      else
        send(c, { method = method, params = params })
      end
      return true
    end,
    is_closing = function() return c.over or false end,
    terminate = function()
      c.asked = true
      c.process:kill()
    end,
  }
end

M.on['executor/shuttingDown'] = function() down = true end

--- Lets the next connection start a server, also where one was told to shut down.
function M.by_user() down = false end

--- Connects, unless there is a connection. Answers whether there is one now.
function M.connect()
  retry:stop()
  if connection then return true end
  local c = { last = 0, waiting = {}, parts = {}, stderr = '' }
  local process = M.spawn(vim.list_extend({ config.program, 'attach', down and '--no-start' or nil }, config.args), nil,
    function(chunk) read(c, chunk) end,
    function(chunk) c.stderr = (c.stderr .. chunk):sub(-4096) end,
    function(code) ended(c, code) end)
  if not process then
    if attempts > 0 then try_again() else
      M.say(('`%s` cannot be started: install it, or set program in vim.g.jobline'):format(config.program), vim.log.levels.ERROR)
    end
    return false
  end
  connection, c.process = c, process
  local client = {
    name = 'jobline',
    cmd = function(dispatchers)
      c.dispatchers = dispatchers
      return transport(c)
    end,
    before_init = function(params) params.protocolVersion = PROTOCOL end,
  }
  if vim.fn.has('nvim-0.11') == 1 then -- the client is of no buffer, which start allows since then
    vim.lsp.start(client, { attach = false, reuse_client = function() return false end })
  else
    vim.lsp.start_client(client)
  end
  return true
end

--- Sends a request. The callback gets an error with a message, or the result.
function M.request(method, params, callback)
  if not M.connect() then return callback({ message = 'not connected', told = true }) end
  call(connection, method, params, callback)
end

--- Waits for the result of a request, or raises its error.
function M.call(method, params)
  local err, result = M.await(M.request, method, params)
  if err then error(err, 0) end
  return result
end

--- Whether there is a connection at this moment.
function M.is_connected() return connection ~= nil and connection.ready == true end

--- Shows progress as of a language server: value is that of $/progress.
function M.progress(token, value)
  if connection and connection.ready then
    connection.dispatchers.notification('$/progress', { token = token, value = value })
  end
end

return M
