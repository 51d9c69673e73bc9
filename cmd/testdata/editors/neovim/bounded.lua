-- Buffers are bounded, an old output opens by its end, and nothing holds up the editor.
local T = dofile(vim.env.SCRIPTS .. "/lib.lua")
vim.g.jobline = { max_lines = 5000 }
T.run('seq 1 60000')
T.line('%[completed')
local lines = T.lines()
T.say('at most 5000 and a few:', #lines < 5100, 'says so:', lines[1]:find('older') ~= nil, 'the end:', lines[#lines - 1])
local id = vim.b.jobline_task
vim.cmd('bwipeout')
vim.g.jobline = { max_lines = 200000 }
vim.cmd('Jobline logs ' .. id:sub(-8))
T.line('%[completed')
T.say('opened:', T.lines()[1], T.lines()[#T.lines() - 1])
T.press('P')
T.await('the older output', function() return T.lines()[1] == '1' end)

T.run('yes 0123456789 | tr -d "\\n" | head -c 200000')
T.line('%[completed')
local longest = 0
for _, line in ipairs(T.lines()) do longest = math.max(longest, #line) end
T.say('longest line:', longest)

local most, last = 0, vim.uv.hrtime()
local work, worked = 0, os.clock() -- of the processor, which other programs do not change
local timer = vim.uv.new_timer()
timer:start(1, 1, vim.schedule_wrap(function()
  local now = vim.uv.hrtime()
  most, last = math.max(most, (now - last) / 1e6), now
  work, worked = math.max(work, (os.clock() - worked) * 1e3), os.clock()
end))
local tasks = tonumber(vim.env.TASKS)
for _ = 1, tasks do
  vim.cmd([[Jobline! run i=0; while [ $i -lt 20 ]; do i=$((i+1)); seq 1 50; sleep 0.05; done]])
end
T.await('the ends', function()
  local ended = 0
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    local count = vim.api.nvim_buf_line_count(buf)
    if vim.bo[buf].filetype == 'jobline-output' and vim.api.nvim_buf_get_lines(buf, count - 1, -1, false)[1]:find('^%[completed') then ended = ended + 1 end
  end
  return ended >= tasks + 2
end)
timer:stop()
T.say('all have ended')
vim.fn.writefile({ ('longest pause of the loop: %.1f ms, of which it worked at most %.1f ms'):format(most, work) }, 'pause')
