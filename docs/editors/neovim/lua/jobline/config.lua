-- The settings. They are read where they are used: a change counts from the next use on.
local defaults = {
  program = 'jobline', -- a path, or a name that is looked for in PATH
  args = {}, -- flags of every command, such as { '--project', '/home/ada/unicorns' }
  max_lines = 100000, -- of a buffer with output; the oldest go
  max_bytes = 10 * 1024 * 1024, -- of a buffer with output
  list_limit = 100, -- tasks that the list shows, at most 1000, from the next start of `jobline view` on
  quickfix = true, -- whether a command of :Jobline run that fails fills the quickfix list
  notify = true, -- whether the end of a task is told where nobody looks at it
}

return setmetatable({}, {
  __index = function(_, name) return vim.tbl_extend('force', defaults, vim.g.jobline or {})[name] end,
})
