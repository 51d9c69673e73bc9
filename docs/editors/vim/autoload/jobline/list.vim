vim9script
# The list of all tasks, live while a window shows it.

import autoload 'jobline/wire.vim'
import autoload 'jobline/tasks.vim'
import autoload 'jobline/output.vim'

const NAME = 'jobline://list'
const PAUSE = 200 # milliseconds between an event and the next look
const TICK = 1000 # milliseconds between two looks, for what no event tells
const HELP = ['Enter  the output       c  cancel     a  again', 'r      refresh          q  close      ?  these keys', '']

var timer = 0
var asked = false # whether a look has not been answered yet
var shown: list<dict<any>> = [] # the tasks, one a line behind the heading
var help = false
export var known: list<string> = [] # ids of the tasks that the last look showed

# Open shows the list in a window.
export def Open()
  var window = bufwinid(bufnr('^' .. NAME .. '$'))
  if window > 0
    win_gotoid(window)
  else
    execute 'silent botright split' NAME
    setlocal buftype=nofile bufhidden=hide noswapfile nomodeline undolevels=-1 nowrap nomodifiable cursorline
    setlocal filetype=jobline-list
    syntax match joblineFailed /\<failed\>.*\%<35c/
    syntax match joblineRunning /\<running\>\%( \d\+%\)\?/
    syntax match joblineDone /\<completed\>/
    syntax match joblineHead /\%1l.*/
    highlight default link joblineFailed ErrorMsg
    highlight default link joblineRunning MoreMsg
    highlight default link joblineDone Comment
    highlight default link joblineHead Title
  endif
  wire.Connect()
  Look()
enddef

def Visible(): bool
  return !empty(win_findbuf(bufnr('^' .. NAME .. '$')))
enddef

# Changed is called when something has happened to a task.
export def Changed()
  if Visible()
    timer_stop(timer)
    timer = timer_start(PAUSE, (_) => Look())
  endif
enddef

export def Look()
  timer_stop(timer)
  timer = timer_start(TICK, (_) => Look())
  if !Visible()
    timer_stop(timer)
  elseif !asked && wire.Connected()
    asked = true
    Refresh((found) => Draw(found), () => {
      asked = false
    })
  endif
enddef

# Refresh asks for the newest tasks, and what those are about of which it is not known. Done gets
# them; Answered is called in any case.
export def Refresh(Done: func, Answered: func = () => 0)
  wire.Request('list', {limit: get(g:, 'jobline_list', 100)}, (reply) => {
    Answered()
    if wire.Failed(reply)
      return
    endif
    var found: list<dict<any>> = reply.result.tasks
    known = found->mapnew((_, task) => task.id)
    var unknown = found->copy()->filter((_, task) => !has_key(tasks.titles, task.id))
    if empty(unknown)
      Done(found)
    endif
    var left = [len(unknown)]
    for task in unknown
      About(task, () => {
        left[0] -= 1
        if left[0] == 0
          Done(found)
        endif
      })
    endfor
  })
enddef

# About finds out what a task is about.
def About(task: dict<any>, Done: func)
  wire.Request('status', {id: task.id, includeInput: true}, (reply) => {
    if has_key(reply, 'result')
      tasks.Title(task.id, tasks.TitleOf(reply.result.type, get(reply.result, 'input', {})))
    endif
    Done()
  })
enddef

# Seconds is the time that a text of RFC 3339 names.
def Seconds(time: string): number
  # strptime reads local time, and what it makes of UTC is off by the zone's offset.
  var read = strptime('%Y-%m-%dT%H:%M:%S', time[: 18])
  return read + read - strptime('%Y-%m-%dT%H:%M:%S', strftime('%Y-%m-%dT%H:%M:%S', read)) + Offset(read)
enddef

def Offset(at: number): number
  var [sign, hours, minutes] = matchlist(strftime('%z', at), '\([-+]\)\(\d\d\)\(\d\d\)')[1 : 3]
  return (sign ==# '-' ? -1 : 1) * (str2nr(hours) * 3600 + str2nr(minutes) * 60)
enddef

def Span(seconds: number): string
  return seconds < 0 ? '0s' : seconds < 60 ? seconds .. 's' : seconds < 3600 ? printf('%dm%02ds', seconds / 60, seconds % 60) :
    seconds < 86400 ? printf('%dh%02dm', seconds / 3600, seconds % 3600 / 60) : seconds / 86400 .. 'd'
enddef

def Row(task: dict<any>, now: number): string
  var started = get(task, 'startedAt', '')
  var took = started == '' ? '' : Span((has_key(task, 'finishedAt') ? Seconds(task.finishedAt) : now) - Seconds(started))
  var error = get(task, 'error', {})
  var state = task.state .. (task.state ==# 'running' ? ' ' .. tasks.Percent(tasks.running->get(task.id, get(task, 'progress', {}))) :
    has_key(error, 'exitCode') ? ' exit ' .. error.exitCode : '')
  var title = substitute(tasks.titles->get(task.id, ''), '\n', ' ', 'g')
  return printf('%-8s  %-15s %-8.8s %6s %7s  %s', task.id[-8 :], state, task.type, Span(now - Seconds(task.createdAt)), took, strtrans(title[: 300]))
enddef

def Draw(found: list<dict<any>>)
  var buffer = bufnr('^' .. NAME .. '$')
  if buffer < 0
    return
  endif
  shown = found
  var lines = [printf('%-8s  %-15s %-8s %6s %7s  %s', 'ID', 'STATE', 'TYPE', 'AGE', 'TIME', 'TASK' .. (help ? '' : '   (? for keys)'))]
  var now = localtime()
  lines += help ? HELP : []
  lines += found->mapnew((_, task) => Row(task, now))
  if empty(found)
    add(lines, 'There is no task yet. :Jobline run COMMAND makes one.')
  endif
  setbufvar(buffer, '&modifiable', true)
  var count = getbufinfo(buffer)[0].linecount
  setbufline(buffer, 1, lines)
  if count > len(lines)
    silent deletebufline(buffer, len(lines) + 1, '$')
  endif
  setbufvar(buffer, '&modifiable', false)
enddef

export def Help()
  help = !help
  Draw(shown)
enddef

# Chosen is the id of the task in this line, or an empty text.
export def Chosen(): string
  return shown->get(line('.') - 2 - (help ? len(HELP) : 0), {})->get('id', '')
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
