vim9script
Jobline list
g:AwaitText('list', 'running.*echo shared')
cursor(2, 1)
execute "normal \<CR>"
g:AwaitText('task/', 'shared')
Jobline cancel
g:AwaitText('task/', 'cancelled')
g:Finish()
