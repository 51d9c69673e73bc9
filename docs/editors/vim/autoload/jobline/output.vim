vim9script
# A buffer for the output of each task that is looked at. What comes is kept until a timer
# shows it, a few milliseconds of work at a time, so that no flood of output stops the keys.

import autoload 'jobline/wire.vim'
import autoload 'jobline/tasks.vim'
import autoload 'jobline/ansi.vim'
import autoload 'jobline/errors.vim'

const STREAMS = ['stdout', 'stderr', 'log']
const PAUSE = 60 # milliseconds between a piece of output and its showing
const WORK = 8 # milliseconds of work at a time, and then as many for the keys
const PIECE = 16384 # bytes that are shown in one go
const WAITING = 1048576 # bytes that may wait to be shown, of one task; the oldest go
const CHUNK = 131072 # bytes of one reply: a longer one would stop the keys for too long
const TAIL = 262144 # bytes that are loaded at first of what was written before
const LONGEST = 65536 # bytes of a line; a longer one is broken
const KEPT = 20 # buffers of ended tasks that no window shows

var views: dict<dict<any>> = {} # by the id of the task
var turn: list<string> = [] # ids of the views that have something to show
var timer = 0
var subscription = -1
var subscribed: list<string> = []

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
  views[id] = {id: id, buffer: buffer, window: TAIL}
  Reload(views[id])
  return buffer
enddef

# Forget removes the oldest buffers that nobody looks at.
def Forget()
  var hidden = values(views)->filter((_, v) => !bufloaded(v.buffer) || (v.done && empty(win_findbuf(v.buffer))))
  for view in sort(hidden, (a, b) => a.buffer - b.buffer)[: -KEPT - 1]
    remove(views, view.id)
    if bufexists(view.buffer)
      execute 'bwipeout!' view.buffer
    endif
  endfor
enddef

# Reload shows a task from its tail on, and follows it.
def Reload(view: dict<any>)
  extend(view, {next: {}, waiting: [], bytes: 0, skipped: 0, rest: '', look: '', sizes: [], size: 0, dropped: 0,
    loading: true, held: [], done: false, ended: {}, cwd: getcwd()})
  Edit(view, () => {
    silent deletebufline(view.buffer, 1, '$')
  })
  Follow()
  Load(view)
enddef

# Older loads four times as much of what was written before.
export def Older(id: string)
  var view = views[id]
  view.window = min([Bytes(), view.window * 4])
  Reload(view)
enddef

# Follow asks for the output of the tasks that have a buffer and go on.
def Follow()
  var ids = values(views)->filter((_, v) => !v.done && bufloaded(v.buffer))->mapnew((_, v) => v.id)->sort()
  if ids ==# subscribed
    return
  endif
  var before = subscription
  subscription = -1
  subscribed = ids
  # The next begins before the last ends, so that nothing is lost between them.
  if !empty(ids)
    wire.Request('subscribe', {ids: ids[-1000 :], events: ['output']}, (reply) => {
      if wire.Failed(reply)
        return
      elseif subscribed ==# ids
        subscription = reply.result.subscription
      else
        wire.Request('unsubscribe', {subscription: reply.result.subscription}, (_) => 0)
      endif
    })
  endif
  if before >= 0
    wire.Request('unsubscribe', {subscription: before}, (_) => 0)
  endif
enddef

# Lost is called when a connection has ended, and Connected when there is the next.
export def Lost()
  subscription = -1
  subscribed = []
enddef

export def Connected()
  for view in values(views)
    if !view.done
      view.loading = true
      Load(view)
    endif
  endfor
  Follow()
enddef

# Load asks how a task is, and for what it wrote before, or since. Then it shows what came meanwhile.
def Load(view: dict<any>)
  wire.Request('status', {id: view.id, includeInput: true}, (reply) => {
    if wire.Failed(reply)
      return
    endif
    var input = get(reply.result, 'input', {})
    tasks.Title(view.id, tasks.TitleOf(reply.result.type, input))
    view.cwd = get(input, 'dir', view.cwd)
    if has_key(reply.result, 'finishedAt')
      Finished(reply.result)
    endif
  })
  var got: dict<dict<any>> = {}
  for stream in STREAMS
    Gather(view, stream, got)
  endfor
enddef

# Gather is a function, since a loop has one variable for all closures in it.
def Gather(view: dict<any>, stream: string, got: dict<dict<any>>)
  Fetch(view, stream, {}, (past) => {
    got[stream] = past
    if len(got) == len(STREAMS)
      Loaded(view, got)
    endif
  })
enddef

# Fetch asks for a stream, a part at a time.
def Fetch(view: dict<any>, stream: string, past: dict<any>, Done: func)
  var params = {id: view.id, stream: stream, limit: CHUNK}
  if has_key(past, 'next')
    params.offset = past.next
  elseif has_key(view.next, stream)
    params.offset = view.next[stream]
  elseif has_key(past, 'total')
    params.offset = max([0, past.total - view.window])
  else
    params.tailBytes = min([1048576, stream ==# 'log' ? 1048576 : view.window])
  endif
  wire.Request('output', params, (reply) => {
    var r = get(reply, 'result', {})
    if wire.Lost(reply)
      return # the next connection asks again
    elseif empty(r)
      Done(extend({data: '', from: 0, next: 0}, past, 'force'))
    elseif !has_key(params, 'offset') && stream !=# 'log' && view.window > 1048576 && r.offset > 0 && r.offset > r.truncatedBefore
      Fetch(view, stream, {total: r.nextOffset}, Done)
    else
      var sofar = {data: get(past, 'data', '') .. Text(r), from: get(past, 'from', r.offset), next: r.nextOffset}
      if !r.eof && r.nextOffset > r.offset && strlen(sofar.data) < view.window
        Fetch(view, stream, sofar, Done)
      else
        Done(sofar)
      endif
    endif
  })
enddef

def Loaded(view: dict<any>, got: dict<dict<any>>)
  if !has_key(view.next, 'stdout') && got.stdout.from + got.stderr.from > 0
    Add(view, printf("… %d bytes are before this; - loads some of them\n", got.stdout.from + got.stderr.from))
  endif
  # The stream log says up to which offset each stream was written before the other.
  var at = {stdout: got.stdout.from, stderr: got.stderr.from}
  for line in split(got.log.data, "\n")
    var [stream, upto; _] = split(line) + ['', '0']
    if has_key(at, stream) && str2nr(upto) > at[stream] && at[stream] < got[stream].next
      Add(view, strpart(got[stream].data, at[stream] - got[stream].from, str2nr(upto) - at[stream]))
      at[stream] = min([str2nr(upto), got[stream].next])
    endif
  endfor
  for stream in ['stdout', 'stderr']
    Add(view, strpart(got[stream].data, at[stream] - got[stream].from))
  endfor
  for stream in STREAMS
    view.next[stream] = got[stream].next
  endfor
  view.loading = false
  for params in remove(view, 'held')
    Take(view, params)
  endfor
  view.held = []
  if view.done
    add(turn, view.id)
  endif
  Show()
enddef

# Event takes a piece of output.
export def Event(params: dict<any>)
  if !has_key(views, params.id)
    return
  endif
  var view = views[params.id]
  if view.loading
    add(view.held, params)
    if len(view.held) > 1000
      remove(view.held, 0)
    endif
  else
    Take(view, params)
  endif
enddef

def Take(view: dict<any>, params: dict<any>)
  var data = Text(params)
  var next = get(view.next, params.stream, 0)
  if params.offset < next
    data = strpart(data, next - params.offset)
  elseif params.offset > next && params.stream !=# 'log'
    Add(view, printf("\n… %d bytes came too fast; :Jobline logs shows them at the end\n", params.offset - next))
  endif
  view.next[params.stream] = max([next, params.offset + strlen(data)])
  if params.stream !=# 'log'
    Add(view, data)
  endif
enddef

# Text is the output of a reply or an event. A byte 0 cannot be in a text of Vim.
def Text(piece: dict<any>): string
  return piece.encoding ==# 'base64' ? Decode(piece.data) : piece.data
enddef

var letters: dict<number> = {}
var bytes: list<string> = []

def Decode(data: string): string
  if empty(letters)
    for [i, c] in items('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
      letters[c] = i
    endfor
    bytes = ['?'] + range(1, 255)->mapnew((_, b) => eval(printf('"\x%02x"', b)))
  endif
  var out: list<string> = []
  var held = 0
  var bits = 0
  for c in data
    if c ==# '='
      break
    endif
    held = and(or(held << 6, letters[c]), 0xffff)
    bits += 6
    if bits >= 8
      bits -= 8
      add(out, bytes[and(held >> bits, 255)])
    endif
  endfor
  return join(out, '')
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
      if has_key(views, id)
        remove(views, id)
      endif
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
    elseif view.done && !view.loading
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

# Finished notes the end of a task; its buffer shows it behind all output.
export def Finished(task: dict<any>)
  if !has_key(views, task.id) || views[task.id].done
    return
  endif
  var view = views[task.id]
  view.done = true
  view.ended = task
  Progress(task.id, '', task.state)
  if !view.loading
    add(turn, task.id)
    Show()
  endif
enddef

def End(view: dict<any>)
  if empty(view.ended)
    return
  endif
  var task = remove(view, 'ended')
  view.ended = {}
  Append(view, (view.rest == '' ? '' : "\n") .. "\e[m— " .. tasks.Ended(task) .. ' —')
  Follow()
  errors.Collect(task, view.buffer, view.cwd)
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
