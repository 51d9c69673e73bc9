vim9script
# What every test script has: it waits by turns of Vim's loop, and tells what failed.

set nocompatible shortmess+=I columns=100 lines=40 shell=/bin/sh
if $PLUGIN != ''
  execute 'set runtimepath^=' .. fnameescape($PLUGIN)
endif

# The functions of a user are not taken for those of the plug-in.
def g:Tell()
enddef
def g:Start()
enddef
def g:Say()
enddef
def g:Changed()
enddef

def g:Finish()
  writefile(empty(v:errors) ? ['passed'] : v:errors + split(execute('messages'), "\n"), $TOLD)
  quitall!
enddef

# Await waits until a condition holds.
def g:Await(what: string, Holds: func): bool
  for _ in range(3000)
    if Holds()
      return true
    endif
    sleep 10m
  endfor
  add(v:errors, 'waited in vain for ' .. what)
  g:Finish()
  return false
enddef

# AwaitText waits for a text in the newest buffer of a name.
def g:AwaitText(name: string, pattern: string): string
  g:Await(pattern .. ' in ' .. name, () => g:Text(name) =~# pattern)
  return g:Text(name)
enddef

def g:Text(name: string): string
  var found = getbufinfo()->filter((_, b) => b.name =~# name)
  return empty(found) ? '' : join(getbufline(found[-1].bufnr, 1, '$'), "\n")
enddef

def g:Messages(): string
  return execute('messages')
enddef

# Run runs a command of the system and answers what it says.
def g:Run(command: string): string
  return trim(system(command))
enddef
