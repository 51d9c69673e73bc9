-- What the scripts share. Each tells a story on stdout, which the test compares.
local T = { notices = {} }

local PATIENCE = 40000 -- milliseconds of one wait; the test gives the editor more

vim.opt.runtimepath:prepend(vim.env.PLUGIN)
vim.opt.shortmess:append('F')
vim.notify = function(text, level) T.notices[#T.notices + 1] = text .. (level == vim.log.levels.ERROR and ' (error)' or '') end
vim.cmd.runtime('plugin/jobline.lua')

function T.say(...) io.stdout:write(table.concat(vim.tbl_map(tostring, { ... }), ' '), '\n') end

function T.await(what, condition)
  if vim.wait(PATIENCE, condition, 5) then return end
  T.say('waited in vain for ' .. what, vim.inspect(T.notices), vim.fn.execute('messages'))
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    local name, lines = vim.api.nvim_buf_get_name(buf), T.lines(buf)
    T.say('buffer', name, #lines, vim.inspect(vim.list_slice(lines, math.max(1, #lines - 20))))
  end
  vim.cmd('cquit 3')
end

--- Waits for a notice, and says it; durations and ids are left out.
function T.notice(pattern)
  local found
  T.await('the notice ' .. pattern, function()
    for i, text in ipairs(T.notices) do
      if text:find(pattern) then
        found = table.remove(T.notices, i)
        return true
      end
    end
  end)
  T.say('notice:', (found:gsub('after [%d.ms]+', 'after TIME'):gsub('%x%x%x%x%x%x%x%x+', 'ID')))
end

function T.lines(buf) return vim.api.nvim_buf_get_lines(buf or 0, 0, -1, false) end

--- Waits until a buffer has a line, and answers its number.
function T.line(pattern, buf)
  local number
  T.await('the line ' .. pattern, function()
    for i, line in ipairs(T.lines(buf)) do
      if line:find(pattern) then
        number = i
        return true
      end
    end
  end)
  return number
end

--- Runs a command line, and waits for the buffer with its output.
function T.run(line)
  local before = vim.api.nvim_get_current_buf()
  vim.cmd('Jobline! run ' .. line)
  T.await('the buffer', function() return vim.bo.filetype == 'jobline-output' and vim.api.nvim_get_current_buf() ~= before end)
end

--- Presses keys, as a person does.
function T.press(keys) vim.api.nvim_feedkeys(vim.keycode(keys), "xt", false) end

function T.shell(...)
  local result = vim.system({ ... }, { text = true }):wait()
  return vim.trim(result.stdout .. result.stderr)
end

return T
