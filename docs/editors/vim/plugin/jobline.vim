vim9script
# Jobline: tasks in the background, in one queue that all windows share. See :help jobline.

if exists('g:loaded_jobline')
  finish
endif
g:loaded_jobline = 1

if !has('patch-9.0.0321') || !has('job') || !has('channel') || !has('textprop') || !has('timers')
  const NEEDS = 'jobline: needs Vim 9.0 with +job, +channel, +textprop and +timers: install vim-nox or vim-gtk3'
  command! -nargs=* Jobline echohl ErrorMsg | echo NEEDS | echohl None
  finish
endif

import autoload 'jobline.vim'
import autoload 'jobline/program.vim'

command! -nargs=* -complete=customlist,jobline.Complete Jobline jobline.Do(<q-args>)

augroup jobline
  autocmd!
  autocmd VimEnter * program.Start(true)
  autocmd FocusLost * program.Focus(false)
  autocmd FocusGained * program.Focus(true)
  autocmd FileType jobline-output,jobline-list jobline.Keys()
augroup END
