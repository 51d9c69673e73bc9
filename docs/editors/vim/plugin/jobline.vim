vim9script
# Jobline: tasks in the background, in one queue that all windows share. See :help jobline.

if exists('g:loaded_jobline')
  finish
endif
g:loaded_jobline = 1

if !has('patch-9.0.0321') || !has('job') || !has('channel') || !has('textprop') || !has('timers')
  command! -nargs=* Jobline echohl ErrorMsg | echo 'jobline: needs Vim 9.0 with +job, +channel, +textprop and +timers: install the package vim-nox or vim-gtk3' | echohl None
  finish
endif

import autoload 'jobline.vim'
import autoload 'jobline/tasks.vim'
import autoload 'jobline/wire.vim'

command! -nargs=* -complete=customlist,jobline.Complete Jobline jobline.Do(<q-args>)

augroup jobline
  autocmd!
  autocmd VimEnter * tasks.Resume()
  autocmd VimLeavePre * wire.Leave()
  autocmd FocusLost * tasks.Focus(false)
  autocmd FocusGained * tasks.Focus(true)
  autocmd FileType jobline-output,jobline-list jobline.Keys()
augroup END
