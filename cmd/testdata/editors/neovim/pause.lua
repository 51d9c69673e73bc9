-- How long Neovim takes no keys while 50 tasks write, and opens an output of 100 MB.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
require('jobline')
local output = require('jobline.output')
local ids = vim.fn.readfile('ids')
local big = table.remove(ids)
local pause, last, work, worked = 0, 0, 0, 0
local function last_line(buf) return vim.api.nvim_buf_get_lines(buf, -2, -1, false)[1] end
for _, id in ipairs(ids) do output.buffer(id) end
output.open(ids[1])
vim.cmd('Jobline list')
vim.wait(2000, function() return false end, 20)
local timer = vim.uv.new_timer()
last, worked = vim.uv.hrtime(), os.clock()
timer:start(1, 1, vim.schedule_wrap(function()
  local now, cpu = vim.uv.hrtime(), os.clock() -- of the processor, which other programs do not change
  pause, last = math.max(pause, (now - last) / 1e6), now
  work, worked = math.max(work, (cpu - worked) * 1e3), cpu
end))
vim.fn.writefile({}, 'go')
T.await('the ends', function()
  for _, id in ipairs(ids) do
    if not last_line(output.buffer(id)):find('^%[completed') then return false end
  end
  return true
end)
timer:stop()
local begun = vim.uv.hrtime()
local buf = output.buffer(big)
T.await('the tail', function() return last_line(buf) ~= '' end)
local told = 'longest pause %.1f ms, of which it worked at most %.1f ms; the tail of 100 MB is there after %.0f ms'
vim.fn.writefile({ told:format(pause, work, (vim.uv.hrtime() - begun) / 1e6) }, 'pause')
vim.cmd('qa!')
