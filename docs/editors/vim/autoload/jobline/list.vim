vim9script
# The list of all tasks, live while a window shows it.

import autoload 'jobline/program.vim'

const NAME = 'jobline://list'

var shown: list<string> = [] # the ids of the tasks, one a line behind the heading
export var live = false # whether `jobline view` knows that a window shows it

def Buffer(): number
  return bufnr('^' .. NAME .. '$')
enddef

# Open shows the list in a window.
export def Open()
  var window = bufwinid(Buffer())
  if window > 0
    win_gotoid(window)
  else
    execute 'silent botright split' NAME
    setlocal buftype=nofile bufhidden=hide noswapfile nomodeline undolevels=-1 nowrap nomodifiable cursorline
    setlocal filetype=jobline-list
    syntax match ErrorMsg /\%11cfailed.*\%<28c/
    syntax match MoreMsg /\%11crunning\%( \d\+%\)\?/
    syntax match Comment /\%11ccompleted/
    syntax match Title /\%1l.*/
    autocmd! jobline BufWinEnter,BufWinLeave <buffer> timer_start(0, (_) => jobline#list#Changed())
  endif
  if program.Start()
    program.Say('list', 'on')
    jobline#list#Changed()
  endif
enddef

# Begin goes on with another process.
export def Begin()
  live = false
enddef

# Changed draws the list, or has its times rest where no window shows it.
export def Changed()
  var seen = !empty(win_findbuf(Buffer()))
  if seen != live
    live = seen # before Say, which may start the program and so come here again
    program.Say('list', live ? 'on' : 'off')
  endif
  if seen
    Draw()
  endif
enddef

def Row(row: dict<any>): string
  var waits = has_key(row, 'waits') ? row.waits .. ' › ' : ''
  return printf('%-8s  %-16s %7s  %s', row.short, row.status, get(row, 'time', ''), waits .. row.title)
enddef

def Draw()
  var rows = program.Sorted()
  var lines = [printf('%-8s  %-16s %7s  %s', 'ID', 'STATE', 'TIME', 'TASK   (? for keys)')]
  lines += rows->mapnew((_, row) => Row(row))
  if empty(rows)
    add(lines, 'There is no task yet. :Jobline run COMMAND makes one.')
  endif
  var places = win_findbuf(Buffer())->mapnew((_, w) => [w, jobline#list#Chosen(w)])
  shown = rows->mapnew((_, row) => row.id)
  setbufvar(Buffer(), '&modifiable', true)
  silent deletebufline(Buffer(), len(lines) + 1, '$')
  setbufline(Buffer(), 1, lines)
  setbufvar(Buffer(), '&modifiable', false)
  for [window, id] in places # the cursor stays with its task
    if index(shown, id) >= 0
      win_execute(window, printf('noautocmd call cursor(%d, 1)', 2 + index(shown, id)))
    endif
  endfor
enddef

# Chosen is the id of the task in the line of a window's cursor, or an empty text.
export def Chosen(window = win_getid()): string
  return line('.', window) < 2 ? '' : get(shown, line('.', window) - 2, '')
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
