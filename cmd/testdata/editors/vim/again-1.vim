vim9script
# Leaves tasks behind, and is killed.
Jobline run echo begun; sleep 600
g:AwaitText('task/', 'begun')
Jobline submit sleep durationMs=1000
g:Await('both', () => g:Run('jobline list --state running | grep -c running') == '2')
writefile(['passed'], $TOLD)
g:Run('kill -9 ' .. getpid())
