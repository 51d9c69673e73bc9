vim9script
# A buffer for the output of each task that is looked at. What comes is kept until a timer
# shows it, a few milliseconds of work at a time, so that no flood of output stops the keys.

import autoload 'jobline/wire.vim'
import autoload 'jobline/tasks.vim'
import autoload 'jobline/ansi.vim'
import autoload 'jobline/errors.vim'

const PAUSE = 60 # milliseconds between a piece of output and its showing
const WORK = 8 # milliseconds of work at a time, and then as many for the keys
const PIECE = 16384 # bytes that are shown in one go
const WAITING = 1048576 # bytes that may wait to be shown, of one task; the oldest go
const TAIL = 262144 # bytes that are loaded at first of what was written before
const LONGEST = 65536 # bytes of a line; a longer one is broken
const KEPT = 20 # buffers of ended tasks that no window shows

var views: dict<dict<any>> = {} # by the id of the task
var turn: list<string> = [] # ids of the views that have something to show
var timer = 0

def Lines(): number
  return get(g:, 'jobline_max_lines', 100000)
enddef

def Bytes(): number
  return get(g:, 'jobline_max_bytes', 10485760)
enddef

export def Has(id: string): bool
  return has_key(views, id) && bufloaded(views[id].buffer)
enddef

export def Visible(id: string): bool
  return Has(id) && !empty(win_findbuf(views[id].buffer))
enddef

# BufferOf answers the buffer of a task, which it makes where there is none.
export def BufferOf(id: string): number
  if Has(id)
    return views[id].buffer
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
  views[id] = {id: id, buffer: buffer, window: TAIL, round: 0}
  Reload(views[id])
  return buffer
enddef

# Forget removes the oldest buffers that nobody looks at.
def Forget()
  var hidden = values(views)->filter((_, v) => !bufloaded(v.buffer) || (v.done && empty(win_findbuf(v.buffer))))
  for view in sort(hidden, (a, b) => a.buffer - b.buffer)[: -KEPT - 1]
    Drop(view.id)
    if bufexists(view.buffer)
      execute 'bwipeout!' view.buffer
    endif
  endfor
enddef

# Drop ends what follows a task whose buffer goes.
export def Drop(id: string)
  if has_key(views, id)
    job_stop(remove(views, id).viewer)
  endif
enddef

# Reload shows a task from its tail on, and follows it.
def Reload(view: dict<any>)
  extend(view, {round: view.round + 1, first: true, waiting: [], bytes: 0, skipped: 0, rest: '', look: '', sizes: [], size: 0,
    dropped: 0, read: false, done: false, ended: {}, cwd: getcwd()})
  Edit(view, () => {
    silent deletebufline(view.buffer, 1, '$')
  })
  Ask(view)
  Follow(view)
enddef

# Older loads four times as much of what was written before.
export def Older(id: string)
  var view = views[id]
  view.window = min([Bytes(), view.window * 4])
  job_stop(view.viewer)
  Reload(view)
enddef

# Follow shows what the program makes of a task for a viewer, until the end of the task.
def Follow(view: dict<any>)
  var round = view.round # another one begins where more is loaded
  var words = ['--viewer', '--follow', '--tail-bytes', string(view.window), view.id]
  view.viewer = job_start(wire.Command('logs', words), {
    mode: 'raw', noblock: 1, stoponexit: '',
    out_cb: (_, text) => {
      if view.round == round
        Add(view, view.first ? substitute(text, '^\[\(\d\+\) bytes before this are not shown\]', '… \1 bytes are before this; - loads some of them', '') : text)
        view.first = false
      endif
    },
    err_cb: (_, _) => 0, # the reply of Ask says the same
    close_cb: (_) => {
      if view.round == round
        view.read = true
        Ask(view)
      endif
    },
  })
enddef

# Ask asks what a task is about, and how it has ended where all is read.
def Ask(view: dict<any>)
  wire.Request('status', {id: view.id, includeInput: true}, (reply) => {
    if wire.Failed(reply)
      return
    endif
    var task = reply.result
    var input = get(task, 'input', {})
    tasks.Title(view.id, tasks.TitleOf(task.type, input))
    view.cwd = get(input, 'dir', view.cwd)
    if view.read && !view.done && has_key(task, 'finishedAt')
      view.done = true
      view.ended = task
      Progress(task.id, '', task.state)
      redrawstatus!
      add(turn, view.id)
      Show()
    endif
  })
enddef

# Connected is called when there is another connection.
export def Connected()
  for view in values(views)
    if view.read && !view.done
      Ask(view)
    endif
  endfor
enddef

# Add puts text behind what waits to be shown.
def Add(view: dict<any>, data: string)
  if data == ''
    return
  endif
  var at = 0
  while at < strlen(data)
    add(view.waiting, strpart(data, at, PIECE))
    at += PIECE
  endwhile
  view.bytes += strlen(data)
  var most = max([WAITING, view.window])
  while view.bytes > most
    var oldest = remove(view.waiting, 0)
    view.bytes -= strlen(oldest)
    view.skipped += strlen(oldest)
  endwhile
  if index(turn, view.id) < 0
    add(turn, view.id)
  endif
  if timer == 0
    timer = timer_start(PAUSE, (_) => Show())
  endif
enddef

# Show shows what waits, of each task in turn, for a few milliseconds.
def Show()
  timer_stop(timer)
  timer = 0
  var begun = reltime()
  while !empty(turn) && reltimefloat(reltime(begun)) * 1000 < WORK
    var id = remove(turn, 0)
    if !Has(id)
      continue
    endif
    var view = views[id]
    if view.skipped > 0
      insert(view.waiting, printf("\n… %d bytes came too fast; - loads them\n", view.skipped))
      view.skipped = 0
    endif
    var size = 0
    var parts: list<string> = []
    while !empty(view.waiting) && size < PIECE
      add(parts, remove(view.waiting, 0))
      size += strlen(parts[-1])
    endwhile
    view.bytes = max([0, view.bytes - size])
    Append(view, join(parts, ''))
    if !empty(view.waiting)
      add(turn, id)
    elseif view.done
      End(view)
    endif
  endwhile
  if !empty(turn)
    timer = timer_start(WORK, (_) => Show())
  endif
enddef

def Edit(view: dict<any>, Change: func)
  setbufvar(view.buffer, '&modifiable', true)
  Change()
  setbufvar(view.buffer, '&modifiable', false)
enddef

# Append adds text to the buffer. Its last line is one that may not have ended yet.
def Append(view: dict<any>, data: string)
  var raw = split(view.rest .. data, "\n", true)
  var rest = remove(raw, -1)
  if strlen(rest) > LONGEST
    add(raw, rest)
    rest = ''
  endif
  view.rest = rest
  var texts: list<string> = raw
  var coloured: list<list<any>> = []
  if view.look != '' || stridx(data, "\e") >= 0 || stridx(data, "\r") >= 0 || stridx(data, "\b") >= 0 || stridx(rest, "\e") >= 0
    texts = []
    for line in raw
      var [text, spans, look] = ansi.Line(line, view.look)
      view.look = look
      add(texts, text)
      if !empty(spans)
        add(coloured, [len(texts) - 1, spans])
      endif
    endfor
    var [text, spans, _] = ansi.Line(rest, view.look)
    add(texts, text)
    if !empty(spans)
      add(coloured, [len(texts) - 1, spans])
    endif
  else
    add(texts, rest)
  endif
  var followers = win_findbuf(view.buffer)->filter((_, w) => line('.', w) == line('$', w))
  Edit(view, () => {
    Put(view, texts, coloured, strlen(data))
  })
  for window in followers
    win_execute(window, 'noautocmd call cursor(line("$"), 1)')
  endfor
enddef

def Put(view: dict<any>, texts: list<string>, coloured: list<list<any>>, size: number)
  var last = getbufinfo(view.buffer)[0].linecount
  prop_clear(last, last, {bufnr: view.buffer})
  setbufline(view.buffer, last, texts)
  var places: dict<list<list<number>>> = {} # by the type of the property
  for [i, spans] in coloured
    for [column, length, kind] in spans
      if !has_key(places, kind)
        places[kind] = []
      endif
      add(places[kind], [last + i, column, last + i, column + length])
    endfor
  endfor
  for [kind, list] in items(places)
    prop_add_list({type: kind, bufnr: view.buffer}, list)
  endfor
  add(view.sizes, [len(texts) - 1, size])
  view.size += size
  Bound(view, last + len(texts) - 1)
enddef

# Bound removes the oldest lines beyond the limits, and says so in the first.
def Bound(view: dict<any>, count: number)
  # A tenth more goes, so that this is not done for every piece.
  var lines = count > Lines() ? count - Lines() / 10 * 9 : 0
  var size = view.size > Bytes() ? view.size - Bytes() / 10 * 9 : 0
  var gone = 0
  while !empty(view.sizes) && (lines > gone || size > 0)
    var [n, of_it] = view.sizes[0]
    var part = size > 0 ? n : min([n, lines - gone])
    var freed = part < n ? of_it * part / n : of_it
    if part < n
      view.sizes[0] = [n - part, of_it - freed]
    else
      remove(view.sizes, 0)
    endif
    gone += part
    size -= freed
    view.size -= freed
  endwhile
  if gone > 0
    view.dropped += gone
    silent deletebufline(view.buffer, 1, gone)
    prop_clear(1, 1, {bufnr: view.buffer})
    setbufline(view.buffer, 1, printf('… %d older lines are gone: g:jobline_max_lines and g:jobline_max_bytes', view.dropped + 1))
  endif
enddef

# Progress is shown in the status line of the windows of a task.
export def Progress(id: string, percent: string, message: string)
  if Has(id)
    setbufvar(views[id].buffer, 'jobline_progress', strtrans(percent .. ' ' .. message))
  endif
enddef

def End(view: dict<any>)
  if empty(view.ended)
    return
  endif
  var task = remove(view, 'ended')
  view.ended = {}
  Append(view, (view.rest == '' ? '' : "\n") .. "\e[m— " .. tasks.Ended(task) .. ' —')
  errors.Collect(task, view.buffer, view.cwd)
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
