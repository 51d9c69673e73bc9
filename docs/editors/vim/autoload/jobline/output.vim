vim9script
# Buffers with what tasks write, as `jobline view` tells it: in pieces that leave time for keys,
# bounded, with colours.

import autoload 'jobline/program.vim'
import autoload 'jobline/errors.vim'

const TAIL = 262144 # bytes of each stream that are shown first
const MOST_TAIL = 1073741824
const KEPT = 20 # buffers of ended tasks that no window shows

var opened: dict<dict<any>> = {} # what is known of each buffer, by the id of its task

# Looks makes types of text properties for the looks of parts of lines.
export def Looks(fresh: dict<dict<any>>)
  for [name, look] in items(fresh)
    var rule = ''
    for key in ['fg', 'bg']
      if has_key(look, key)
        var colours = get(g:, 'terminal_ansi_colors', [])
        rule ..= printf(' cterm%s=%d gui%s=%s', key, look[key], key, get(colours, look[key], look[key .. 'Colour']))
      endif
    endfor
    var attributes = join(look.attributes, ',')
    rule ..= attributes == '' ? '' : printf(' term=%s cterm=%s gui=%s', attributes, attributes, attributes)
    execute 'highlight jobline_' .. name .. rule
    prop_type_add('jobline_' .. name, {highlight: 'jobline_' .. name, combine: true})
  endfor
enddef

export def Visible(id: string): bool
  return has_key(opened, id) && !empty(win_findbuf(opened[id].buffer))
enddef

# BufferOf answers the buffer of a task, which it makes where there is none.
export def BufferOf(id: string): number
  if has_key(opened, id)
    return opened[id].buffer
  endif
  Forget()
  var buffer = bufadd('jobline://task/' .. id)
  setbufvar(buffer, '&buftype', 'nofile')
  silent bufload(buffer)
  for [option, value] in items({bufhidden: 'hide', swapfile: false, modeline: false, undolevels: -1, modifiable: false})
    setbufvar(buffer, '&' .. option, value)
  endfor
  setbufvar(buffer, 'jobline', id)
  setbufvar(buffer, '&filetype', 'jobline-output')
  execute printf('autocmd jobline BufUnload <buffer=%d> jobline#output#Drop(%s)', buffer, string(id))
  opened[id] = {id: id, buffer: buffer, tail: TAIL, older: false, over: false}
  jobline#output#Describe(get(program.rows, id, {id: id, title: id, status: ''}))
  Ask(opened[id])
  return buffer
enddef

# Ask asks for the output from its tail on.
def Ask(o: dict<any>)
  o.over = false
  var bounds = [o.tail, get(g:, 'jobline_max_lines', 100000), get(g:, 'jobline_max_bytes', 10485760)]
  call(program.Say, ['open', o.id] + bounds->mapnew((_, n) => string(n)))
enddef

# Begin goes on with another process.
export def Begin()
  for o in values(opened)
    if !o.over
      Ask(o)
    endif
  endfor
enddef

# Forget removes the oldest buffers that nobody looks at.
def Forget()
  var hidden = values(opened)->filter((_, o) => o.over && empty(win_findbuf(o.buffer)))
  for o in sort(hidden, (a, b) => a.buffer - b.buffer)[: -KEPT - 1]
    execute 'bwipeout!' o.buffer
  endfor
enddef

# Drop asks for no more output of a task whose buffer goes.
export def Drop(id: string)
  if has_key(opened, id)
    remove(opened, id)
    program.Say('close', id)
  endif
enddef

# Older shows four times as much of what was written before.
export def Older(id: string)
  if opened[id].older
    opened[id].tail = min([MOST_TAIL, opened[id].tail * 4])
    Ask(opened[id])
  else
    program.Tell('all of the output that is kept is shown')
  endif
enddef

# Describe shows in the status line of the windows of a task what it does, and how far it is.
export def Describe(row: dict<any>)
  if has_key(opened, row.id)
    setbufvar(opened[row.id].buffer, 'jobline_title', row.title)
    setbufvar(opened[row.id].buffer, 'jobline_progress', has_key(row, 'message')
      ? printf('%s %s', has_key(row, 'percent') ? row.percent .. '%' : '', row.message) : row.status)
  endif
enddef

# Put puts into a buffer what has come of an output. A window whose cursor is in the last line follows the end.
export def Put(told: dict<any>)
  var o = get(opened, told.id, {})
  if empty(o)
    return
  endif
  var followers = win_findbuf(o.buffer)->filter((_, w) => line('.', w) == line('$', w))
  setbufvar(o.buffer, '&modifiable', true)
  Change(o.buffer, told)
  setbufvar(o.buffer, '&modifiable', false)
  for window in followers
    win_execute(window, 'noautocmd call cursor(line("$"), 1)')
  endfor
  o.older = get(told, 'older', o.older && !has_key(told, 'clear'))
  if has_key(told, 'error')
    o.over = true
    program.Bad(told.error)
  elseif has_key(told, 'ended')
    o.over = true
    jobline#output#Describe(told.ended)
    redrawstatus!
    errors.Collect(told.ended, o.buffer)
  endif
enddef

def Change(buffer: number, told: dict<any>)
  if has_key(told, 'clear')
    silent deletebufline(buffer, 1, '$')
  endif
  if has_key(told, 'lines')
    var last = getbufinfo(buffer)[0].linecount
    prop_clear(last, last, {bufnr: buffer})
    setbufline(buffer, last, told.lines)
    var places: dict<list<list<number>>> = {} # by the type of the property
    for [row, column, length, look] in get(told, 'spans', [])
      places[look] = get(places, look, [])->add([last + row, column + 1, last + row, column + length + 1])
    endfor
    for [look, parts] in items(places)
      prop_add_list({type: 'jobline_' .. look, bufnr: buffer}, parts)
    endfor
  endif
  if has_key(told, 'drop')
    silent deletebufline(buffer, 1, told.drop)
    prop_clear(1, 1, {bufnr: buffer})
    setbufline(buffer, 1, told.first)
  endif
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
