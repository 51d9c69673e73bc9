vim9script
import autoload 'jobline/wire.vim'
# The server was killed, too: what was left is told of, without a command.
def g:Body()
  g:Await('what was missed', () => g:Messages() =~# 'finished while you were away: \d')
  assert_match('1 failed', g:Messages())
  # An open buffer goes on where the server is killed under it.
  Jobline run echo one; sleep 600
  g:AwaitText('task/', 'one')
  var stats = json_decode(g:Run('jobline stats --json'))
  var answers: list<dict<any>> = []
  wire.Request('wait', {ids: [g:Run('jobline list --json --state running --limit 1')->json_decode().id]}, (reply) => add(answers, reply))
  g:Run('kill -9 ' .. stats.pid)
  g:Await('the failure of what was asked', () => answers->mapnew((_, a) => wire.Lost(a)) == [true])
  g:AwaitText('task/', '— failed: .*—')
  assert_match('^one', g:Text('task/'))
  assert_match('has ended.*; trying again', g:Messages())
  # A server that was told to shut down stays so, until a command.
  Jobline list
  g:Await('the list', () => g:Text('list') =~# 'echo one')
  g:Run('jobline shutdown --mode cancel')
  g:Await('the end', () => g:Messages() =~# 'has ended.*; the next command starts another')
  var said = g:Messages()
  sleep 3500m # two attempts to connect
  assert_match('nobody listens', g:Run('jobline list --no-start'))
  assert_equal(said, g:Messages())
  Jobline run echo back
  g:AwaitText('task/', '^back')
  g:Finish()
enddef
autocmd VimEnter * timer_start(1, (_) => g:Body())
