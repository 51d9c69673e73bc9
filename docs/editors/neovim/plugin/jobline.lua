-- Defines :Jobline. Everything else is loaded when it is first used.
if vim.g.loaded_jobline then return end
vim.g.loaded_jobline = true
if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('jobline: this needs Neovim 0.10; docs/guides/neovim.md is for older ones', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('Jobline', function(command) require('jobline').command(command) end, {
  nargs = '*',
  bang = true,
  complete = function(lead, line, position) return require('jobline').complete(lead, line:sub(1, position)) end,
  desc = 'run and watch tasks of jobline',
})

-- Tasks of an earlier session are looked after at once; without any, no server is started.
vim.api.nvim_create_autocmd('VimEnter', {
  group = vim.api.nvim_create_augroup('jobline_start', {}),
  callback = function() require('jobline').resume() end,
})
