vim9script
# How long Vim takes no keys while 50 tasks write, and opens an output of 100 MB.
import autoload 'jobline/output.vim'
var ids = readfile($WORK .. '/ids')
var big = remove(ids, -1)
var last = reltime()
var pause = 0.0
var work = 0.0
def Worked(): float # on the processor, which other programs do not change, in milliseconds
  return str2nr(split(readfile('/proc/self/schedstat')[0])[0]) / 1.0e6
enddef
var worked = Worked()
def g:Tick()
  var now = Worked()
  pause = max([float2nr(reltimefloat(reltime(last)) * 1.0e6), float2nr(pause * 1.0e3)]) / 1.0e3
  work = now - worked > work ? now - worked : work
  last = reltime()
  worked = now
enddef
def g:Tail()
  var begun = reltime()
  var buffer = output.BufferOf(big)
  g:Await('the tail', () => getbufline(buffer, '$')[0] != '')
  writefile([printf('longest pause %.1f ms, of which it worked at most %.1f ms; the tail of 100 MB is there after %.0f ms',
    pause, work, reltimefloat(reltime(begun)) * 1000)], $WORK .. '/pause')
  g:Finish()
enddef
def g:Ended(id: string): bool
  return getbufline(output.BufferOf(id), '$')[0] =~# '^\[completed'
enddef
def g:Wait()
  if ids->copy()->filter((_, id) => !g:Ended(id))->empty()
    g:Tail()
  else
    timer_start(100, (_) => g:Wait())
  endif
enddef
def g:Begin()
  timer_start(1, (_) => g:Tick(), {repeat: -1})
  last = reltime()
  worked = Worked()
  pause = 0.0
  work = 0.0
  writefile([], $WORK .. '/go')
  g:Wait()
enddef
def g:Open()
  for id in ids
    output.BufferOf(id)
  endfor
  execute 'Jobline logs' ids[0]
  Jobline list
  timer_start(2000, (_) => g:Begin()) # in the loop of Vim, as a person has it
enddef
autocmd VimEnter * timer_start(1, (_) => g:Open())
