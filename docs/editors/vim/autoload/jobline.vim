vim9script
# The command :Jobline, and the keys of its buffers.

import autoload 'jobline/program.vim'
import autoload 'jobline/output.vim'
import autoload 'jobline/list.vim'
import autoload 'jobline/errors.vim'

var commands: dict<func> # what each command of :Jobline does
const OWNER = ['--label', 'owner=Vim']
var refused = '' # what was typed last and refused

# Status is for 'statusline': %{jobline#Status()}
export def Status(): string
  var going = program.Sorted()->filter((_, row) => row.state ==# 'running')
  var percents = going->copy()->filter((_, row) => has_key(row, 'percent'))->map((_, row) => row.percent .. '%')
  return empty(going) ? '' : join(['jobline:', len(going), 'running'] + percents[: 2])
enddef

# Do runs what is behind :Jobline.
export def Do(line: string)
  var [_, name, rest; _] = matchlist(line, '^\s*\(\S*\)\s*\(.*\)$')
  if has_key(commands, name)
    commands[name](rest)
  else
    program.Bad(printf('there is no %s: say one of %s', name ?? 'command given', keys(commands)->sort()->join(', ')))
  endif
enddef

# Run submits a command line of the shell, in this directory and with this environment.
def Run(command: string)
  var line = command != '' ? command : substitute(&makeprg, '\s*\$\*', '', 'g')
  # A word % is this file, as in :make; what else has a % is the shell's.
  var file = '\%(^\|\s\)\zs%\(\%(:[p~.htre]\)*\)\ze\%(\s\|$\)'
  line = substitute(line, file, (m) => shellescape(expand('%' .. m[1])), 'g')
  Send('submit', OWNER + ['exec', '--', &shell] + split(&shellcmdflag) + [line])
enddef

# Submit submits a task of any type: TYPE MEMBER=VALUE..., or TYPE {JSON}.
def Submit(rest: string)
  var typed = rest != '' ? rest : input('Jobline submit ', refused, 'customlist,jobline#CompleteInput')
  if typed == ''
    return
  endif
  var [_, type, members; _] = matchlist(typed, '^\s*\(\S\+\)\s*\(.*\)$')
  # A blank in a value is written "\ ".
  var written = split(members, '\\\@<!\s\+')->map((_, member) => substitute(member, '\\\(\s\)', '\1', 'g'))
  var words = members =~# '^{' ? ['--input', members] : written->mapnew((_, member) => ['--set', member])->flattennew()
  refused = ''
  Send('submit', OWNER + [type] + words, (why) => Refused(typed, why))
enddef

# Refused shows why, and lets the user go on with what was typed.
def Refused(typed: string, why: string)
  refused = typed
  program.Bad(why)
  if mode() ==# 'n'
    feedkeys(":Jobline submit " .. substitute(typed, "[\x01-\x1f\x7f]", '', 'g'), 'n')
  endif
enddef

# Send makes a task by the program's command submit or retry, which adds directory and
# environment, and writes no secret to a file.
def Send(name: string, words: list<string>, Failed: func = program.Bad)
  program.Submit(name, words, (id) => {
    errors.Expect(id)
    Show(id, false)
  }, Failed)
enddef

def Cancel(id: string)
  program.Run('cancel', ['--reason', 'cancelled in Vim', id], (out) => program.Tell(join(out, '; '), 'MoreMsg'))
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
    var Here = (_, w) => w.tabnr == tabpagenr() && getbufvar(w.bufnr, '&filetype') ==# 'jobline-output'
    window = getwininfo()->filter(Here)->get(0, {})->get('winid', 0)
    if window == 0
      execute printf('silent botright :%dsplit', height > 0 ? height : 10)
      setlocal winfixheight
      window = win_getid()
      wincmd p
    endif
    win_execute(window, [
      'silent buffer ' .. buffer, 'setlocal nowrap nonumber norelativenumber nolist', 'call cursor(line("$"), 1)'])
    setwinvar(window, '&statusline', '%{get(b:, "jobline_title", "")} %{get(b:, "jobline_progress", "")}%=%l/%L')
  endif
  if go
    win_gotoid(window)
  endif
enddef

# Choose finds the task that is meant: by its id or the end or beginning of it, or in a menu.
def Choose(word: string, what: string, Then: func)
  var here = &filetype ==# 'jobline-list' ? list.Chosen() : get(b:, 'jobline', '')
  if word == '' && here != ''
    Then(here)
  elseif word == ''
    program.Refresh(() => Menu(what, Then))
  else
    program.Run('status', ['--json', word], (out) => Then(json_decode(out[0]).id))
  endif
enddef

def Menu(what: string, Then: func)
  var found = program.Sorted()->filter((_, row) => what !=# 'cancel' || row.state =~# 'queued\|running')
  if empty(found)
    program.Tell('there is no task to choose')
    return
  endif
  var rows = found[: 19]->mapnew((_, row) => printf('%s %-9s %s', row.short, row.status, row.title)->strcharpart(0, 70))
  popup_menu(rows, {title: ' ' .. what .. ' ', callback: (_, n) => {
    if n > 0
      Then(found[n - 1].id)
    endif
  }})
enddef

def Top()
  if program.HasProgram()
    term_start(program.Command('top'), {term_finish: 'close', term_name: 'jobline top'})
  endif
enddef

# Doctor shows what may be wrong.
def Doctor()
  var name = program.Command('')[0]
  var lines = [
    printf('Vim      %d.%d, with +job +channel +textprop', v:version / 100, v:version % 100),
    'program  ' .. (exepath(name) ?? name .. ' is not in PATH: install jobline, or set g:jobline_program'),
    'server   ' .. (program.connected ? 'connected' : 'not connected: the first command connects')]
  silent botright new jobline://doctor
  setlocal buftype=nofile bufhidden=wipe noswapfile nomodeline
  var buffer = bufnr()
  setline(1, lines)
  if executable(name)
    job_start(program.Command('doctor'), {
      in_io: 'null', err_io: 'out', callback: (_, line) => appendbufline(buffer, '$', strtrans(line))})
  endif
enddef

# Keys sets the keys of a buffer of ours.
export def Keys()
  var keys = {q: 'close', c: 'Jobline cancel', a: 'Jobline again'}
  if &filetype ==# 'jobline-list'
    extend(keys, {r: 'Jobline list', '?': 'help jobline-list', '<CR>': 'Jobline logs'})
  else
    keys['-'] = 'call jobline#output#Older(b:jobline)'
  endif
  for [key, command] in items(keys)
    execute printf('nnoremap <buffer> <silent> <nowait> %s <Cmd>%s<CR>', key, command)
  endfor
enddef

# Complete completes what is behind :Jobline.
export def Complete(lead: string, line: string, _: number): list<string>
  var words = split(line, '\\\@<!\s\+', true)
  var found: list<string> = []
  if len(words) <= 2
    found = keys(commands)
  elseif words[1] ==# 'submit'
    return program.Complete(join(words[2 :]))
  elseif words[1] ==# 'run'
    return getcompletion(lead, len(words) == 3 ? 'shellcmd' : 'file')
  elseif words[1] =~# '^\%(again\|logs\|cancel\)$'
    program.Start() # the rows are there the next time
    var states = words[1] ==# 'cancel' ? 'queued\|running' : ''
    found = values(program.rows)->filter((_, row) => row.state =~# states)->mapnew((_, row) => row.short)
  endif
  return found->sort()->filter((_, word) => stridx(word, lead) == 0)
enddef

export def CompleteInput(_: string, line: string, at: number): list<string>
  return program.Complete(strpart(line, 0, at))
enddef

commands = {
  run: (rest) => Run(rest),
  submit: (rest) => Submit(rest),
  again: (rest) => Choose(rest, 'again', (id) => Send('retry', [id])),
  list: (_) => list.Open(),
  logs: (rest) => Choose(rest, 'logs', (id) => Show(id, true)),
  cancel: (rest) => Choose(rest, 'cancel', Cancel),
  top: (_) => Top(),
  doctor: (_) => Doctor(),
}

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
