-- What the README shows.
vim.opt.runtimepath:prepend(vim.env.PLUGIN)
vim.o.ruler, vim.o.showcmd, vim.o.laststatus = false, false, 2
vim.fn.writefile({ 'int main(void) {', '  return unicorns;', '}' }, 'main.c')
vim.fn.writefile({ 'echo "cc -c herd.c"', 'echo "cc -c main.c"', [[printf '\033[1mmain.c:2:10: \033[31merror: \033[0mno unicorns here\n']], 'exit 2' }, 'build.sh')
vim.fn.writefile({ 'echo ok herd', 'echo ok stable', 'sleep 600' }, 'test.sh')
vim.cmd.edit('main.c')

-- after waits until f answers, and goes on with the next step.
local function after(f, next_step)
  local timer = vim.uv.new_timer()
  timer:start(20, 20, vim.schedule_wrap(function()
    if not timer:is_closing() and f() then
      timer:close()
      next_step()
    end
  end))
end
local function shows(text) return function() return vim.fn.search(text, 'nw') > 0 end end

vim.api.nvim_create_autocmd('VimEnter', { callback = function()
  vim.cmd('Jobline run sh build.sh')
  after(function() return #vim.fn.getqflist() > 3 end, function()
    vim.cmd('Jobline! run sh test.sh')
    after(shows('^ok stable'), function()
      vim.cmd('Jobline')
      after(shows('^running.*test.sh'), function() vim.cmd('wincmd = | 2wincmd w | exe "normal! Gzb" | 1wincmd w | cnext') end)
    end)
  end)
end })
