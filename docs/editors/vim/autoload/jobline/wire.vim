vim9script
# The connection: one process `jobline attach`, and JSON-RPC messages on its pipes.

import autoload 'jobline/tasks.vim'
import autoload 'jobline/list.vim'

const PROTOCOL = '1'
const LONGEST_DELAY = 30 # seconds between two attempts to connect

var attach: job
var attached = false # until all that it wrote is read, which may be after its end
var waiting: dict<func> = {} # what takes the reply, by the id of the request
var last_id = 0
var last_error = '' # the last line that attach has written to stderr
var ready = false # whether the server has answered initialize
var ever_ready = false # whether one has, in this session
var refused = false # whether the server cannot be used
var delay = 0 # seconds until the next attempt; 0 where none is due
var retry = 0 # its timer
var leaving = false
var down = false # whether the server was told to shut down: then only a command of the user starts another
export var server: dict<any> = {} # what initialize has answered

# Tell shows a line, and keeps it for :messages. One that would ask for Enter is shown in a window.
export def Tell(text: string, group = 'WarningMsg')
  var line = 'jobline: ' .. strtrans(substitute(text, '^jobline: ', '', ''))
  execute 'echohl' group
  if strdisplaywidth(line) < &columns - 12
    unsilent echomsg line
  else
    echowindow line
  endif
  echohl None
enddef

# Command answers the command line of a command of jobline.
export def Command(name: string, words: list<string> = []): list<string>
  return [get(g:, 'jobline_program', 'jobline'), name] + get(g:, 'jobline_args', []) + words
enddef

# HasProgram says where there is no jobline.
export def HasProgram(): bool
  var program = Command('')[0]
  if executable(program)
    return true
  endif
  Tell(program .. ' is not in PATH: install jobline, or set g:jobline_program to its path', 'ErrorMsg')
  return false
enddef

# Run starts a command of jobline. Done gets its exit code, and the lines of its stdout and stderr.
export def Run(name: string, words: list<string>, Done: func)
  if !HasProgram()
    return
  endif
  var out: list<string> = []
  var err: list<string> = []
  job_start(Command(name, words), {
    in_io: 'null', stoponexit: '',
    out_cb: (_, line) => add(out, line),
    err_cb: (_, line) => add(err, line),
    close_cb: (channel) => Ended(ch_getjob(channel), out, err, Done),
  })
enddef

# Ended asks for the exit code, since Vim may look for the end of a job only seconds later.
def Ended(command: job, out: list<string>, err: list<string>, Done: func)
  if job_status(command) ==# 'run'
    timer_start(5, (_) => Ended(command, out, err, Done))
  else
    Done(job_info(command).exitval, out, err)
  endif
enddef

export def Connected(): bool
  return ready
enddef

# Connect starts the process where none runs, and answers whether there is one.
export def Connect(): bool
  return attached || (!down && Attach())
enddef

# ByUser lets the next connection start a server, also where one was told to shut down.
export def ByUser()
  down = false
enddef

def Attach(): bool
  if attached
    return true
  endif
  timer_stop(retry)
  if leaving || !HasProgram()
    return false
  endif
  last_error = ''
  refused = false
  attach = job_start(Command('attach', down ? ['--no-start'] : []), {
    mode: 'nl', noblock: 1, stoponexit: '',
    out_cb: (_, line) => Receive(line),
    err_cb: (_, line) => {
      last_error = line
    },
    close_cb: (_) => Closed(),
  })
  attached = job_status(attach) !=# 'fail'
  if !attached
    Tell(Command('attach')[0] .. ' cannot be started; try :Jobline doctor', 'ErrorMsg')
    return false
  endif
  var version = printf('%d.%d', v:version / 100, v:version % 100)
  Send('initialize', {clientInfo: {name: 'Vim', version: version}, protocolVersion: PROTOCOL}, Greeted)
  tasks.Begin()
  return true
enddef

# Request sends a request; Done gets the reply, with result or error.
# Where the connection ends before, or cannot be made, that is an error that is marked as lost.
export def Request(method: string, params: dict<any>, Done: func)
  if Connect()
    Send(method, params, Done)
  else
    Done({error: {message: last_error, lost: true}})
  endif
enddef

# Failed says whether a request has failed. It tells why, unless the end of the connection was told.
export def Failed(reply: dict<any>): bool
  if has_key(reply, 'error') && !Lost(reply)
    Tell(reply.error.message, 'ErrorMsg')
  endif
  return has_key(reply, 'error')
enddef

# Lost says whether the connection ended before the reply.
export def Lost(reply: dict<any>): bool
  return reply->get('error', {})->has_key('lost')
enddef

def Send(method: string, params: dict<any>, Done: func)
  last_id += 1
  waiting[last_id] = Done
  try
    ch_sendraw(attach, json_encode({jsonrpc: '2.0', id: last_id, method: method, params: params}) .. "\n")
  catch /^Vim\%((\a\+)\)\=:E\%(630\|631\|906\):/ # the process has ended, which fails the request soon
  endtry
enddef

def Greeted(reply: dict<any>)
  if Lost(reply)
    return
  elseif has_key(reply, 'error')
    last_error = reply.error.message
    Stop()
  elseif matchstr(reply.result.protocolVersion, '^\d\+') !=# PROTOCOL
    last_error = printf('the server speaks version %s of the protocol, and this plug-in %s: update the older one', reply.result.protocolVersion, PROTOCOL)
    Stop()
  elseif !reply.result.capabilities->get('shared', false)
    last_error = 'this server is not shared by windows: use a jobline that has the command attach'
    Stop()
  else
    server = reply.result
    ready = true
    ever_ready = true
    down = false
    delay = 0
  endif
enddef

def Stop()
  refused = true
  if job_status(attach) ==# 'run'
    ch_close_in(attach)
  endif
enddef

def Receive(line: string)
  var message: any
  try
    message = json_decode(line)
  catch /^Vim\%((\a\+)\)\=:E/
    return # it is no message
  endtry
  if type(message) != v:t_dict
    return
  endif
  if get(message, 'method', '') ==# 'executor/shuttingDown'
    down = true
  elseif has_key(message, 'method')
    tasks.Event(message.method, get(message, 'params', {}))
  elseif has_key(waiting, get(message, 'id', ''))
    var Done = remove(waiting, message.id)
    Done(message)
  endif
enddef

# Closed is called when the process has ended and all that it wrote is read.
def Closed()
  var was_ready = ready
  ready = false
  attached = false
  if leaving
    return
  endif
  var open = waiting
  waiting = {}
  for Done in values(open)
    Done({error: {message: last_error, lost: true}})
  endfor
  # What a new attempt cannot mend is told, and left to the user.
  var final = refused || last_error =~# 'unknown command' || (!was_ready && !ever_ready && delay > 4)
  var cure = last_error =~# 'unknown command' ? '; this jobline is too old: install a newer one' : final ? '' : down ? '; the next command starts another' : '; trying again'
  if final || was_ready || delay == 0
    Tell((last_error ?? 'jobline attach has ended; try :Jobline doctor') .. cure, final ? 'ErrorMsg' : 'WarningMsg')
  endif
  delay = final ? 0 : min([LONGEST_DELAY, max([1, delay * 2])])
  if !final
    retry = timer_start(delay * 1000, (_) => Attach())
  endif
enddef

# Leave ends the connection, at the end of Vim. The tasks go on.
export def Leave()
  leaving = true
  tasks.Save()
  if job_status(attach) ==# 'run'
    Send('shutdown', {}, (_) => 0)
    ch_close_in(attach)
  endif
enddef


# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
