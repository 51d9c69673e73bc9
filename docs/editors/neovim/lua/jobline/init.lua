-- The commands of :Jobline, and what is done at the end of a task.
local config = require('jobline.config')
local list = require('jobline.list')
local output = require('jobline.output')
local program = require('jobline.program')
local progress = require('jobline.progress')

local M = {}

local CHUNK = 200 -- lines that the errorformat is tried on at once
local MOST_LINES = 20000 -- of an output that are looked at for errors, the last ones

local own = {} -- by id: what is known of tasks of this session that have not ended
local last -- the id of the task that was submitted last
local focused = true

-- submit runs submit or retry, and has the end of the task told that it makes. It answers its id,
-- or nil and why there is none.
local function submit(known, name, ...)
  local id, why = program.run(known.dir, name, ...)
  if not id then return nil, why end
  own[id], last = known, id
  program.tell('mine', id)
  return id
end

local function must(id, why) return id or error({ message = why }, 0) end

-- command answers the arguments of submit for a command line, which the user's shell runs as
-- :make does.
local function command(line)
  local shell = vim.split('-- ' .. vim.o.shell .. ' ' .. vim.o.shellcmdflag, ' ', { trimempty = true })
  return vim.list_extend(shell, { line })
end

-- typed answers the arguments of submit for a type and its input as a person writes it: an object
-- in JSON, or NAME=VALUE with spaces between. A value goes on to the next name.
local function typed(name, written)
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

-- fill makes a quickfix list of the output of a task, in pieces: the list keeps what an
-- errorformat of several lines, or of folders, has seen before.
local function fill(buf, known, done)
  local count, enter = vim.api.nvim_buf_line_count(buf), "jobline: in the folder '%s'"
  local at, efm = math.max(0, count - MOST_LINES), '%D' .. enter:format('%f') .. ',' .. known.efm
  vim.fn.setqflist({}, ' ', {
    title = ':Jobline run ' .. known.what, nr = '$', efm = efm, lines = { enter:format(known.dir or vim.fn.getcwd()) },
  })
  local id = vim.fn.getqflist({ nr = '$', id = 0 }).id
  local function step()
    if not vim.api.nvim_buf_is_valid(buf) or at >= count then return done() end
    vim.fn.setqflist({}, 'a', { id = id, lines = vim.api.nvim_buf_get_lines(buf, at, at + CHUNK, false), efm = efm })
    at = at + CHUNK
    vim.defer_fn(step, 1)
  end
  step()
end

local function errors(id, known, done)
  output.buffer(id)
  output.when_shown(id, function(buf, row)
    known = known or { what = row.title, efm = vim.o.errorformat }
    known.dir = row.dir
    fill(buf, known, done)
  end)
end

local function notice(row, known)
  if not config.notify or focused and (known.opens or output.visible(row.id)) then return end
  local after = row.time and ' after ' .. row.time or ''
  local level = row.state == 'completed' and vim.log.levels.INFO or vim.log.levels.WARN
  program.say(('%s: %s%s'):format(known.what, row.status, after), level)
end

function program.on.rows()
  progress.changed()
  list.changed()
end

function program.on.ended(row)
  local known = own[row.id] or { what = row.title }
  own[row.id] = nil
  progress.ended(row)
  if known.efm and row.state == 'failed' and config.quickfix then
    return errors(row.id, known, function() notice(row, known) end)
  end
  notice(row, known)
end

function program.on.away(away) program.say('finished while you were away: ' .. away.text) end

function program.on.begun()
  for id in pairs(own) do program.tell('mine', id) end
  output.begun()
  list.begun()
end

--- Looks after the tasks of an earlier session that had not ended.
function M.resume() program.start(true) end

local commands = {}

function commands.run(line, bang)
  line = line ~= '' and line or vim.trim((vim.o.makeprg:gsub('%$%*', '')))
  local known = { what = line, efm = vim.o.errorformat, dir = vim.fn.getcwd(), opens = bang or nil }
  local id = must(submit(known, 'submit', '--label', 'owner=Neovim', unpack(command(line))))
  if bang then output.open(id) end
end

function commands.submit(arguments)
  local name, written = arguments:match('^(%S+)%s*(.*)$')
  if not name then
    local types = vim.json.decode(program.must('types', '--json')).types
    local choice = program.await(vim.ui.select, types, {
      prompt = 'Submit a task of the type',
      format_item = function(t) return ('%-24s %s'):format(t.name, t.description) end,
    })
    name, written = choice and choice.name, ''
  end
  local id, why, asked = nil, nil, arguments ~= ''
  while name and not id do
    if not asked or why then
      M.asking = name
      written = program.await(vim.ui.input, {
        prompt = (why and why .. '\n' or '') .. name .. ' ', default = written,
        completion = "customlist,v:lua.require'jobline'.complete_input",
      })
      if not written then return end
    end
    asked = true
    local known = { what = vim.trim(name .. ' ' .. written) }
    id, why = submit(known, 'submit', '--label', 'owner=Neovim', unpack(typed(name, written)))
  end
end

-- chosen lets the person choose one of the tasks of some states.
local function chosen(states, prompt)
  program.await(program.refresh, list.live)
  local found = vim.tbl_filter(function(row)
    return not states or vim.tbl_contains(states, row.state)
  end, program.sorted())
  if not found[1] then error({ message = 'there is no such task; :Jobline list shows all' }, 0) end
  local choice = program.await(vim.ui.select, found, {
    prompt = prompt,
    format_item = function(row) return ('%s  %-14s %s'):format(row.short, row.status, row.title) end,
  })
  return choice and choice.id or error({ told = true }, 0)
end

-- on_task makes a command of a task: that which is named by a part of its id, that of this buffer,
-- or one that the person chooses.
local function on_task(states, prompt, action)
  return function(part)
    local id = part ~= '' and part or vim.b.jobline_task or chosen(states, prompt)
    action(#id == 36 and id or vim.json.decode(program.must('status', '--json', id)).id)
  end
end

local ENDED, GOING_ON = { 'completed', 'failed', 'cancelled' }, { 'queued', 'running' }

commands.again = on_task(ENDED, 'Run again', function(id)
  local row = program.rows[id] or { title = id }
  must(submit({ what = row.title, efm = row.type == 'exec' and vim.o.errorformat or nil }, 'retry', id))
end)

commands.logs = function(part)
  on_task(nil, 'Output of', output.open)(part == '' and not vim.b.jobline_task and last or part)
end

commands.errors = on_task(ENDED, 'Errors of', function(id)
  errors(id, nil, function() vim.cmd('botright copen') end)
end)

commands.cancel = on_task(GOING_ON, 'Cancel', function(id)
  local cancelled = vim.json.decode(program.must('cancel', '--json', '--reason', 'cancelled in Neovim', id))
  if cancelled.outcome == 'alreadyFinished' then program.say('the task had ended already') end
end)

commands.list = list.open

function commands.top()
  if not program.start() then return end
  vim.cmd.tabnew()
  local shown = vim.list_extend({ config.program, 'top' }, config.args)
  vim.cmd.terminal(table.concat(vim.tbl_map(vim.fn.shellescape, shown), ' '))
  vim.cmd.startinsert()
end

function commands.doctor() vim.cmd.checkhealth('jobline') end

--- Does what :Jobline says.
function M.command(said)
  local name, arguments = vim.trim(said.args):match('^(%S*)%s*(.*)$')
  local action = commands[name == '' and 'list' or name]
  if action then return program.go(action, arguments, said.bang) end
  local names = table.concat(M.complete('', 'Jobline '), ', ')
  program.say(('no command is named %s; there are %s'):format(name, names), vim.log.levels.ERROR)
end

--- Completes :Jobline; the line ends where the cursor is.
function M.complete(lead, line)
  local name, rest = line:match('Jobline!?%s+(%S+)%s+(.*)$')
  local words = vim.tbl_keys(commands)
  if name == 'run' then return vim.fn.getcompletion(lead, rest == lead and 'shellcmd' or 'file') end
  if name == 'submit' then return program.complete(rest) end
  if name then
    program.start()
    words = vim.tbl_map(function(row) return row.short end, program.sorted())
  end
  table.sort(words)
  return vim.tbl_filter(function(word) return vim.startswith(word, lead) end, words)
end

--- Completes at the prompt for an input.
function M.complete_input(lead, line, position)
  local word = lead:match('%S*$')
  local found = program.complete(M.asking .. ' ' .. line:sub(1, position))
  return vim.tbl_map(function(other) return lead:sub(1, #lead - #word) .. other end, found)
end

vim.api.nvim_create_autocmd({ 'FocusGained', 'FocusLost' }, {
  group = vim.api.nvim_create_augroup('jobline', {}),
  callback = function(e) focused = e.event == 'FocusGained' end,
})

return M
