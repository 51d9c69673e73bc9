vim9script
# One window submits; the other cancels.
Jobline run echo shared; sleep 600
g:AwaitText('task/', 'cancelled')
assert_match('^shared', g:Text('task/'))
g:Finish()
