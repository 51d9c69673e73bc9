vim9script
# What the README installs has the command and the help.
assert_equal(2, exists(':Jobline'))
help jobline
assert_match('jobline.txt$', bufname())
for topic in ['run', 'submit', 'again', 'list', 'logs', 'cancel', 'top', 'doctor']
  execute 'help :Jobline-' .. topic
endfor
g:Finish()
