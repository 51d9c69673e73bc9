vim9script
# What the README shows.

set nocompatible shortmess+=I shell=/bin/sh laststatus=2 noruler noshowcmd nowrap background=light
execute 'set runtimepath^=' .. fnameescape($PLUGIN)
writefile(['int main(void) {', '  return unicorns;', '}'], 'main.c')
writefile(['echo "cc -c herd.c"', 'echo "cc -c main.c"', "printf '\\033[1mmain.c:2:10: \\033[31merror: \\033[0mno unicorns here\\n'", 'exit 2'], 'build.sh')
writefile(['echo ok herd', 'echo ok stable', 'sleep 600'], 'test.sh')
silent edit main.c

# After waits until a condition holds, and goes on with the next step.
def After(Holds: func(): bool, Next: func())
  if Holds()
    Next()
  else
    timer_start(20, (_) => After(Holds, Next))
  endif
enddef

# Has tells whether a buffer has a text.
def Has(name: string, pattern: string): bool
  return !getbufinfo()->filter((_, b) => b.name =~# name && join(getbufline(b.bufnr, 1, '$'), "\n") =~# pattern)->empty()
enddef

def Build()
  Jobline run sh build.sh
  After(() => len(getqflist()) > 3, Test)
enddef

def Test()
  Jobline run sh test.sh
  After(() => Has('task', 'ok stable'), List)
enddef

def List()
  Jobline list
  After(() => Has('list', 'running .*test.sh'), () => {
    execute "resize 5 | wincmd t | cc"
  })
enddef

autocmd VimEnter * timer_start(1, (_) => Build())
