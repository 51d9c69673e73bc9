vim9script
# The server was killed, too: what was left is told of, without a command.
def g:Body()
  g:Await('what was missed', () => g:Messages() =~# 'finished while you were away: \d')
  assert_match('1 failed', g:Messages())
  # An open buffer goes on where the server is killed under it.
  Jobline run echo one; sleep 600
  g:AwaitText('task/', 'one')
  var stats = json_decode(g:Run('jobline stats --json'))
  g:Run('kill -9 ' .. stats.pid)
  g:AwaitText('task/', '\[failed .*: the executor ended.*\]')
  assert_match('^one', g:Text('task/'))
  assert_match('has ended.*; connecting again', g:Messages())
  # A server that was told to shut down stays so, until a command.
  Jobline list
  g:Await('the list', () => g:Text('list') =~# 'echo one')
  # Where the program is killed that tells of all tasks, it says so, and the next command starts it again.
  Jobline run echo first; sleep 0.5; echo second
  g:AwaitText('task/', 'first')
  g:Run('pkill -9 -P ' .. getpid() .. ' -f jobline.view')
  g:Await('the end of it', () => g:Messages() =~# 'jobline view has ended with code -1; try :Jobline doctor')
  Jobline list
  g:AwaitText('task/', 'first\nsecond\n\[completed')
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
