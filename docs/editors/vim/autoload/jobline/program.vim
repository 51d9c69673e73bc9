vim9script
# The program: its commands, and the one process `jobline view` that tells of all tasks and of
# what they write. It starts and finds the server, also after that has ended. An exported function
# is called by its whole name, or a global one of the user with that name would be called.

import autoload 'jobline/list.vim'
import autoload 'jobline/output.vim'

const SOON = 5 # milliseconds between two looks for the exit code of a process

var view: job
var running = false # until all that it wrote is read, which may be after its end
var wanted = false # whether something was said to it
export var connected = false # whether there is a server
var focused = true # whether the terminal or window of Vim has the focus
var own: dict<bool> = {} # ids of tasks of this Vim that have not ended
var asked: list<func> = [] # what is called when the rows are those of this moment
export var rows: dict<dict<any>> = {} # the tasks as rows of a list, by id

# Tell shows a line, and keeps it for :messages. One that would ask for Enter is shown in a window.
export def Tell(text: string, group = 'WarningMsg')
  var line = 'jobline: ' .. strtrans(text)
  var show = strdisplaywidth(line) < &columns - 12 ? 'unsilent echomsg' : 'echowindow'
  execute 'echohl' group '|' show string(line) '| echohl None'
enddef

export def Bad(text: string)
  jobline#program#Tell(text, 'ErrorMsg')
enddef

# Command answers the command line of a command of jobline.
export def Command(name: string, words: list<string> = []): list<string>
  return [get(g:, 'jobline_program', 'jobline'), name] + get(g:, 'jobline_args', []) + words
enddef

# HasProgram says where there is no jobline.
export def HasProgram(): bool
  var name = jobline#program#Command('')[0]
  if !executable(name)
    jobline#program#Bad(name .. ' is not in PATH: install jobline, or set g:jobline_program to its path')
  endif
  return executable(name) == 1
enddef

# Run starts a command of jobline. Done gets the lines of its stdout; Failed gets why it failed.
export def Run(name: string, words: list<string>, Done: func, Failed: func = (why) => jobline#program#Bad(why))
  if jobline#program#HasProgram()
    var out: list<string> = []
    var options = {in_io: 'null', out_cb: (_, line) => add(out, line)}
    Spawn(name, words, options, (why) => why == '' ? Done(out) : Failed(why))
  endif
enddef

# Spawn starts a command of jobline. Done gets why it failed, or an empty text.
def Spawn(name: string, words: list<string>, options: dict<any>, Done: func): job
  var err: list<string> = []
  return job_start(jobline#program#Command(name, words), extend(options, {
    stoponexit: '',
    err_cb: (_, line) => add(err, substitute(line, '^jobline: ', '', '')),
    close_cb: (channel) => Exited(ch_getjob(channel), (code) => {
      Done(code == 0 ? '' : join(err, '; ') ?? printf('jobline %s has ended with code %d', name, code))
    }),
  }))
enddef

# Exited gives Done the exit code, since Vim may look for the end of a job only seconds later.
def Exited(ended: job, Done: func)
  if job_status(ended) ==# 'run'
    timer_start(SOON, (_) => Exited(ended, Done))
  else
    Done(job_info(ended).exitval)
  endif
enddef

# Start starts `jobline view`, unless it runs, and answers whether it does. With resume it ends at
# once where no tasks are left of an earlier session, and says nothing.
export def Start(resume = false): bool
  if running
    return true
  elseif resume && !executable(jobline#program#Command('')[0]) || !resume && !jobline#program#HasProgram()
    return false
  endif
  var words = ['--name', 'Vim', '--older-key', '-', '--limit=' .. get(g:, 'jobline_list', 100)]
  wanted = false
  var options = {noblock: 1, out_cb: (_, line) => Heard(json_decode(line))}
  view = Spawn('view', words + (resume ? ['--resume'] : []), options, Ended)
  running = job_status(view) !=# 'fail'
  if running && !resume
    Begin()
  endif
  return running
enddef

# Begin says to another process what is shown.
def Begin()
  for id in keys(own)
    jobline#program#Say('mine', id)
  endfor
  output.Begin()
  list.Begin()
enddef

# Ended is called when the process has ended and all that it wrote is read. What it said tells why.
def Ended(why: string)
  [running, connected, rows] = [false, false, {}]
  redrawstatus!
  if why != ''
    var cure = why =~# '^unknown command' ? 'it is too old: install a newer one' : 'try :Jobline doctor'
    jobline#program#Bad(why .. '; ' .. cure)
    Answer()
  elseif wanted
    jobline#program#Start()
  endif
enddef

# Say says a line of words to `jobline view`, which is started where it does not run.
export def Say(...words: list<string>)
  if words[0] ==# 'close' && !running || !jobline#program#Start()
    return
  endif
  wanted = true
  try
    ch_sendraw(view, join(words) .. "\n")
  catch /^Vim\%((\a\+)\)\=:E\%(630\|631\|906\):/ # it has just ended, which is told soon
  endtry
enddef

# Refresh calls Done when the rows are those of this moment.
export def Refresh(Done: func)
  add(asked, Done)
  jobline#program#Say('list', list.live ? 'on' : 'off')
enddef

def Answer()
  while !empty(asked)
    remove(asked, 0)()
  endwhile
enddef

# Heard does what one line of the process says.
def Heard(line: dict<any>)
  for [kind, value] in items(line)
    if kind ==# 'rows'
      Rows(value)
    elseif kind ==# 'output'
      output.Put(value)
    elseif kind ==# 'looks'
      output.Looks(value)
    elseif kind ==# 'ended'
      Notice(value)
    elseif kind ==# 'away'
      jobline#program#Tell('finished while you were away: ' .. value.text)
    elseif kind ==# 'say'
      jobline#program#Tell(value.text)
    elseif kind ==# 'connected'
      [connected, rows] = [value, value ? rows : {}]
      redrawstatus!
    endif
  endfor
enddef

def Rows(told: dict<any>)
  rows = get(told, 'whole', false) ? {} : rows
  for id in told.gone
    remove(rows, id)
  endfor
  for row in told.set
    rows[row.id] = row
    output.Describe(row)
  endfor
  redrawstatus!
  list.Changed()
  if get(told, 'asked', false)
    Answer()
  endif
enddef

# Submit runs submit or retry, and has the end of the task told that it makes. Done gets its id.
export def Submit(name: string, words: list<string>, Done: func, Failed: func = (why) => jobline#program#Bad(why))
  jobline#program#Run(name, words, (out) => {
    own[out[0]] = true
    jobline#program#Say('mine', out[0])
    Done(out[0])
  }, Failed)
enddef

# Notice tells of the end of a task where nobody looks at it.
def Notice(row: dict<any>)
  filter(own, (id, _) => id !=# row.id)
  if get(g:, 'jobline_notify', true) && !(focused && output.Visible(row.id))
    popup_notification(strcharpart(row.title .. ' ' .. row.status, 0, 120), {
      title: ' jobline ', time: 5000, highlight: row.state ==# 'completed' ? 'MoreMsg' : 'WarningMsg'})
  endif
enddef

export def Focus(has: bool)
  focused = has
enddef

# Sorted are the rows, the newest first.
export def Sorted(): list<dict<any>>
  return values(rows)->sort((a, b) => a.id < b.id ? 1 : -1)
enddef

# Complete are the words that the last word of a type and its input may be.
export def Complete(typed: string): list<string>
  var command = jobline#program#Command('types', ['--complete', typed])->mapnew((_, word) => shellescape(word))->join()
  var words = systemlist(command .. ' 2>' .. (has('win32') ? 'NUL' : '/dev/null'))
  return v:shell_error == 0 ? words : []
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
