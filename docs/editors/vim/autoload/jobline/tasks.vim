vim9script
# What is known of tasks: which run, how far they are, and which ended while nobody looked.

import autoload 'jobline/wire.vim'
import autoload 'jobline/output.vim'
import autoload 'jobline/list.vim'

const SAVE_EVERY = 5000 # milliseconds between two writings of the state
const MOST_TITLES = 2000

var focused = true # whether the terminal or window of Vim has the focus
export var types: list<dict<any>> = []
export var running: dict<dict<any>> = {} # their progress, by id
export var titles: dict<string> = {} # what each task is about, by id
export var recent: list<string> = [] # ids, the newest first
var own: dict<bool> = {} # tasks of this Vim that have not ended
var ended: list<dict<any>> = [] # the tasks that ended last
var seq = -1 # of the latest event
var missed: dict<number> = {} # the ends while Vim was away, by state
var subscribing = -1 # the subscription whose past is being told
var saver = 0 # a timer

# StateFile is where the latest event that was seen of each server is kept.
export def StateFile(): string
  return ($XDG_STATE_HOME ?? $HOME .. '/.local/state') .. '/vim/jobline.json'
enddef

def Load(): dict<any>
  try
    var states = json_decode(join(readfile(StateFile())))
    return type(states) == v:t_dict ? states : {}
  catch
    return {} # there is none yet, or it is broken: as at the first use
  endtry
enddef

# Which names the server in the state file.
def Which(): string
  return join(get(g:, 'jobline_args', []) + [$JOBLINE_SOCKET])
enddef

export def Save()
  timer_stop(saver)
  saver = 0
  if seq < 0
    return
  endif
  try
    mkdir(fnamemodify(StateFile(), ':h'), 'p', 0o700)
    var states = Load()
    states[Which()] = {seq: seq, open: len(own)}
    var temporary = StateFile() .. '.' .. getpid()
    writefile([json_encode(states)], temporary)
    rename(temporary, StateFile())
  catch /^Vim\%((\a\+)\)\=:E/
    wire.Tell('the latest event cannot be kept: ' .. matchstr(v:exception, 'E\d.*'))
  endtry
enddef

def SaveSoon()
  if saver == 0
    saver = timer_start(SAVE_EVERY, (_) => Save())
  endif
enddef

# Resume connects where an earlier session has left tasks.
export def Resume()
  if Load()->get(Which(), {})->get('open', 0) > 0
    wire.Connect()
  endif
enddef

# Begin asks a new connection for all that is shown.
export def Begin()
  var after = seq >= 0 ? seq : Load()->get(Which(), {})->get('seq', -1)
  missed = {}
  running = {}
  wire.Request('types', {}, (reply) => {
    types = reply->get('result', {})->get('types', [])
  })
  Subscribe(after)
  wire.Request('list', {states: ['running'], limit: 1000}, (reply) => {
    for task in reply->get('result', {})->get('tasks', [])
      running[task.id] = get(task, 'progress', {})
    endfor
    redrawstatus!
  })
  output.Connected()
  list.Changed()
enddef

# Subscribe asks for the events of all tasks, from the last that was seen on.
def Subscribe(after: number)
  var params: dict<any> = {events: ['started', 'progress', 'finished']}
  if after >= 0
    params.after = after
  endif
  wire.Request('subscribe', params, (reply) => {
    if has_key(reply, 'result')
      seq = after >= 0 ? after : reply.result.seq
      subscribing = after >= 0 ? reply.result.subscription : -1
      if empty(own)
        SaveSoon()
      else # they were submitted before the number was known
        Save()
      endif
    elseif after >= 0 && !wire.Lost(reply) # what came since is forgotten, or this is another store
      seq = -1
      Subscribe(-1)
      list.Changed()
    endif
  })
enddef

# Event takes a notification of the server.
export def Event(method: string, params: dict<any>)
  if method ==# 'subscription/replayed'
    Replayed(params)
    return
  elseif method !~# '^task/'
    return
  endif
  if params.seq > seq
    seq = params.seq
  endif
  if method ==# 'task/started'
    running[params.id] = {}
  elseif method ==# 'task/progress'
    running[params.id] = params
    output.Progress(params.id, Percent(params), get(params, 'message', ''))
  elseif method ==# 'task/finished'
    Finished(params)
  endif
  list.Changed()
  redrawstatus!
enddef

def Replayed(params: dict<any>)
  if params.subscription != subscribing
    return
  endif
  subscribing = -1
  if !empty(missed)
    wire.Tell('finished while you were away: ' ..
      ['completed', 'failed', 'cancelled']->filter((_, s) => has_key(missed, s))->mapnew((_, s) => missed[s] .. ' ' .. s)->join(', '),
      has_key(missed, 'failed') ? 'WarningMsg' : 'MoreMsg')
  endif
enddef

def Finished(task: dict<any>)
  if has_key(running, task.id)
    remove(running, task.id)
  endif
  var mine = has_key(own, task.id)
  if mine
    remove(own, task.id)
  elseif subscribing >= 0
    missed[task.state] = get(missed, task.state, 0) + 1
  endif
  if (mine || output.Has(task.id)) && get(g:, 'jobline_notify', true) && (!focused || !output.Visible(task.id))
    Notice(task)
  endif
  ended = insert(ended, task)[: 99]
  SaveSoon()
enddef

# Focus says whether the terminal or window of Vim has the focus.
export def Focus(has: bool)
  focused = has
enddef

# Ended says how a task has ended.
export def Ended(task: dict<any>): string
  var error = get(task, 'error', {})
  return task.state .. (empty(error) ? '' : ': ' .. get(error, 'message', ''))
enddef

def Notice(task: dict<any>)
  var text = strtrans(get(titles, task.id, task.type) .. ' ' .. Ended(task))
  popup_notification(text->strcharpart(0, 120), {
    title: ' jobline ', time: 5000, highlight: task.state ==# 'completed' ? 'MoreMsg' : 'WarningMsg'})
enddef

# Added remembers a task that this Vim has submitted.
export def Added(id: string)
  recent = insert(recent, id)[: 99]
  # Its end may have come before the reply to its submit.
  own[id] = true
  var over = ended->copy()->filter((_, task) => task.id ==# id)
  if !empty(over)
    Finished(over[0])
  endif
  Save()
enddef

export def Title(id: string, title: string)
  if len(titles) >= MOST_TITLES
    titles = {}
  endif
  titles[id] = title
enddef

# TitleOf says what an input of a type is about.
export def TitleOf(type: string, input: dict<any>): string
  if type ==# 'exec'
    var argv = get(input, 'argv', [''])
    # The command of a shell says more than the shell.
    return len(argv) == 3 && argv[1] =~# '^-\a*c$' ? argv[2] : join(argv)
  endif
  return empty(input) ? type : type .. ' ' .. json_encode(input)
enddef

# Percent is how far a task is, or an empty text.
export def Percent(progress: dict<any>): string
  var total = get(progress, 'total', 0) * 1.0
  return total > 0 ? printf('%d%%', float2nr(progress.progress * 100 / total)) : ''
enddef

# Status is for a status line: what runs, and how far it is.
export def Status(): string
  if empty(running)
    return ''
  endif
  var percents = running->values()->mapnew((_, progress) => Percent(progress))->filter((_, p) => p != '')
  return 'jobline: ' .. len(running) .. ' running' .. (empty(percents) ? '' : ' ' .. join(percents[: 2]))
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
