vim9script
# The command :Jobline, and the keys of its buffers.

import autoload 'jobline/wire.vim'
import autoload 'jobline/tasks.vim'
import autoload 'jobline/output.vim'
import autoload 'jobline/list.vim'
import autoload 'jobline/errors.vim'

var commands: dict<func> # what each command of :Jobline does
const OWNER = ['--label', 'owner=Vim']
var refused = '' # what was typed last and refused

# Status is for 'statusline': %{jobline#Status()}
export def Status(): string
  return tasks.Status()
enddef

# Do runs what is behind :Jobline.
export def Do(line: string)
  wire.ByUser()
  var [_, name, rest; _] = matchlist(line, '^\s*\(\S*\)\s*\(.*\)$')
  if has_key(commands, name)
    commands[name](rest)
  else
    wire.Tell('there is no ' .. (name == '' ? 'command given' : name) .. ': say one of ' .. keys(commands)->sort()->join(', '), 'ErrorMsg')
  endif
enddef

# Run submits a command line of the shell, in this directory and with this environment.
def Run(command: string)
  var line = command != '' ? command : substitute(&makeprg, '\s*\$\*', '', 'g')
  # A word % is this file, as in :make; what else has a % is the shell's.
  line = substitute(line, '\%(^\|\s\)\zs%\(\%(:[p~.htre]\)*\)\ze\%(\s\|$\)', (m) => shellescape(expand('%' .. m[1])), 'g')
  Send('submit', OWNER + ['exec', '--', &shell] + split(&shellcmdflag) + [line], line)
enddef

# Submit submits a task of any type: TYPE MEMBER=VALUE..., or TYPE {JSON}.
def Submit(rest: string)
  var typed = rest != '' ? rest : input('Jobline submit ', refused, 'customlist,jobline#CompleteInput')
  if typed == ''
    return
  endif
  var [_, type, members; _] = matchlist(typed, '^\s*\(\S\+\)\s*\(.*\)$')
  var words = [type]
  if members =~# '^{'
    words += ['--input', members]
  else
    # A blank in a value is written "\ ".
    for member in split(members, '\\\@<!\s\+')
      words += ['--set', substitute(member, '\\\(\s\)', '\1', 'g')]
    endfor
  endif
  refused = ''
  Send('submit', OWNER + words, typed, (why) => Refused(typed, why))
enddef

# Refused shows why, and lets the user go on with what was typed.
def Refused(typed: string, why: string)
  refused = typed
  wire.Tell(why, 'ErrorMsg')
  if mode() ==# 'n'
    feedkeys(":Jobline submit " .. substitute(typed, "[\x01-\x1f\x7f]", '', 'g'), 'n')
  endif
enddef

# Send makes a task by the command line's own command, submit or retry, which adds directory and
# environment, and writes no secret to a file.
def Send(name: string, words: list<string>, title: string, Bad: func = (why) => wire.Tell(why, 'ErrorMsg'))
  if !wire.Connect()
    return
  endif
  wire.Run(name, words, (code, out, err) => {
    if code != 0 || empty(out)
      Bad(Words(err))
      return
    endif
    tasks.Title(out[0], title)
    errors.Expect(out[0])
    Show(out[0], false)
    tasks.Added(out[0])
  })
enddef

# Words are those with which a command of jobline says what is wrong.
def Words(err: list<string>): string
  return err->mapnew((_, line) => substitute(line, '^jobline: ', '', ''))->join('; ') ?? 'jobline has ended without a word; try :Jobline doctor'
enddef

# Again submits a task once more.
def Again(id: string)
  Send('retry', [id], tasks.titles->get(id, id))
enddef

def Cancel(id: string)
  wire.Request('cancel', {id: id}, (reply) => {
    if !wire.Failed(reply)
      var outcome = {cancelled: 'cancelled', cancelling: 'told to stop', alreadyFinished: 'has ended already'}[reply.result.outcome]
      wire.Tell(outcome .. ': ' .. tasks.titles->get(id, id), 'MoreMsg')
    endif
  })
enddef

# Show opens the output of a task; the cursor goes there, or stays.
def Show(id: string, go: bool)
  # Vim would tell the name of the buffer, and wait for Enter.
  if &shortmess !~# 'F'
    set shortmess+=F
    autocmd jobline SafeState * ++once set shortmess-=F
  endif
  var buffer = output.BufferOf(id)
  var height = get(g:, 'jobline_height', 10)
  var window = win_findbuf(buffer)->get(0, 0)
  if window == 0 && (go || height > 0)
    # One window is for all output.
    window = getwininfo()->filter((_, w) => w.tabnr == tabpagenr() && getbufvar(w.bufnr, '&filetype') ==# 'jobline-output')->get(0, {})->get('winid', 0)
    if window == 0
      var from = win_getid()
      execute printf('silent botright :%dsplit', height > 0 ? height : 10)
      setlocal winfixheight
      window = win_getid()
      win_gotoid(from)
    endif
    win_execute(window, ['silent buffer ' .. buffer, 'setlocal nowrap nonumber norelativenumber nolist', 'call cursor(line("$"), 1)'])
    setwinvar(window, '&statusline', '%{get(b:, "jobline_title", "")} %{get(b:, "jobline_progress", "")}%=%l/%L')
  endif
  setbufvar(buffer, 'jobline_title', strtrans(tasks.titles->get(id, id)))
  if go
    win_gotoid(window)
  endif
enddef

# Choose finds the task that is meant: by its id or the end or beginning of it, or in a menu.
def Choose(word: string, what: string, Then: func)
  var here = get(b:, 'jobline', '')
  if word == '' && here != ''
    Then(here)
  elseif word == ''
    list.Refresh((found) => Menu(what ==# 'cancel' ? found->copy()->filter((_, t) => t.state =~# 'queued\|running') : found, what, Then))
  else
    wire.Request('list', {id: word, limit: 2}, (reply) => {
      var found = reply->get('result', {})->get('tasks', [])
      if len(found) == 1
        Then(found[0].id)
      elseif !wire.Failed(reply)
        wire.Tell((empty(found) ? 'no task has' : 'more than one task has') .. ' an id that begins or ends with ' .. word, 'ErrorMsg')
      endif
    })
  endif
enddef

def Menu(found: list<dict<any>>, what: string, Then: func)
  if empty(found)
    wire.Tell('there is no task to choose')
    return
  endif
  var rows = found[: 19]->mapnew((_, t) => strtrans(printf('%s %-9s %s', t.id[-8 :], t.state, tasks.titles->get(t.id, t.type)))->strcharpart(0, 70))
  popup_menu(rows, {title: ' ' .. what .. ' ', callback: (_, n) => {
    if n > 0
      Then(found[n - 1].id)
    endif
  }})
enddef

def Top()
  if wire.HasProgram()
    term_start(wire.Command('top'), {term_finish: 'close', term_name: 'jobline top'})
  endif
enddef

# Doctor shows what may be wrong.
def Doctor()
  var program = wire.Command('')[0]
  var lines = [
    printf('Vim      %d.%d, with +job +channel +textprop', v:version / 100, v:version % 100),
    'program  ' .. (exepath(program) ?? program .. ' is not in PATH: install jobline, or set g:jobline_program'),
    'connected ' .. (wire.Connected() ? printf('to the server of process %d, jobline %s', wire.server.serverInfo.pid, wire.server.serverInfo.version) : 'no: the first command connects'),
    'state    ' .. tasks.StateFile()]
  silent botright new jobline://doctor
  setlocal buftype=nofile bufhidden=wipe noswapfile nomodeline
  var buffer = bufnr()
  setline(1, lines)
  if executable(program)
    wire.Run('doctor', [], (_, out, err) => appendbufline(buffer, '$', (out + err)->mapnew((_, l) => strtrans(l))))
  endif
enddef

# Keys sets the keys of a buffer of ours.
export def Keys()
  var keys: dict<func> = {
    q: () => execute('close'),
    c: () => Choose('', 'cancel', Cancel),
    a: () => Choose('', 'again', Again),
    '-': () => output.Older(b:jobline),
  }
  if &filetype ==# 'jobline-list'
    keys = {
      q: () => execute('close'),
      c: () => Chosen(Cancel),
      a: () => Chosen(Again),
      r: () => list.Look(),
      '?': () => list.Help(),
      '<CR>': () => Chosen((id) => Show(id, true)),
    }
  endif
  b:jobline_keys = keys
  for key in keys(keys)
    execute printf('nnoremap <buffer> <silent> <nowait> %s <ScriptCmd>wire.ByUser()<Bar>b:jobline_keys[%s]()<CR>', key, string(substitute(key, '<', '<lt>', '')))
  endfor
enddef

def Chosen(Then: func)
  var id = list.Chosen()
  if id != ''
    Then(id)
  endif
enddef

# Complete completes what is behind :Jobline.
export def Complete(lead: string, line: string, _: number): list<string>
  var words = split(line, '\\\@<!\s\+', true)
  if len(words) <= 2
    return keys(commands)->sort()->filter((_, c) => stridx(c, lead) == 0)
  elseif words[1] ==# 'submit'
    return Input(lead, words[2 :])
  elseif words[1] ==# 'run'
    return len(words) == 3 ? getcompletion(lead, 'shellcmd') : getcompletion(lead, 'file')
  elseif words[1] =~# '^\%(again\|logs\|cancel\)$'
    list.Refresh((_) => 0) # for the next time
    var ids = tasks.recent + list.known
    return (words[1] ==# 'cancel' ? keys(tasks.running) : ids)->copy()->map((_, id) => id[-8 :])->filter((_, id) => stridx(id, lead) == 0)->sort()->uniq()
  endif
  return []
enddef

export def CompleteInput(lead: string, line: string, _: number): list<string>
  return Input(lead, split(line, '\\\@<!\s\+', true))
enddef

# Input completes a type, or a member of its input.
def Input(lead: string, words: list<string>): list<string>
  if empty(tasks.types)
    wire.Connect() # they are there the next time
  endif
  if len(words) <= 1
    return tasks.types->mapnew((_, t) => t.name)->filter((_, n) => stridx(n, lead) == 0)
  endif
  var type = tasks.types->copy()->filter((_, t) => t.name ==# words[0] || index(get(t, 'aliases', []), words[0]) >= 0)->get(0, {})
  var properties = type->get('inputSchema', {})->get('properties', {})
  var member = matchstr(lead, '^[^=]*\ze=')
  if member == ''
    var given = words[1 : -2]->mapnew((_, w) => matchstr(w, '^[^=]*'))
    return keys(properties)->sort()->filter((_, m) => stridx(m, lead) == 0 && index(given, m) < 0)->map((_, m) => m .. '=')
  endif
  var schema = get(properties, member, {})
  var values = get(schema, 'enum', get(schema, 'type', '') ==# 'boolean' ? [true, false] : has_key(schema, 'default') ? [schema.default] : [])
  return values->mapnew((_, v) => member .. '=' .. (type(v) == v:t_string ? v : json_encode(v)))->filter((_, v) => stridx(v, lead) == 0)
enddef

commands = {
  run: (rest) => Run(rest),
  submit: (rest) => Submit(rest),
  again: (rest) => Choose(rest, 'again', Again),
  list: (_) => list.Open(),
  logs: (rest) => Choose(rest, 'logs', (id) => Show(id, true)),
  cancel: (rest) => Choose(rest, 'cancel', Cancel),
  top: (_) => Top(),
  doctor: (_) => Doctor(),
}

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
