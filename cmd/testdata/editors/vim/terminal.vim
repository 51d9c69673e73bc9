vim9script
# The plug-in, in a terminal, with Vim's own defaults.
set nocompatible shortmess+=I shell=/bin/sh
execute 'set runtimepath^=' .. fnameescape($PLUGIN)
