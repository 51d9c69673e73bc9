vim9script
# The errors in the output of a command, as quickfix list by the user's errorformat. They are
# looked for a few milliseconds at a time.

import autoload 'jobline/program.vim'

const WORK = 8 # milliseconds of work at a time, and then as many for the keys
const SLICE = 25 # lines that are looked at in one go
const MOST = 20000 # lines of a task, the last

var formats: dict<string> = {} # by the id of a task that is to be looked at when it ends

# Expect has the output of a task looked at when the task ends.
export def Expect(id: string)
  formats[id] = &errorformat
enddef

# Collect looks at the lines of a command that has ended, where that was asked for.
export def Collect(row: dict<any>, buffer: number)
  if !has_key(formats, row.id)
    return
  endif
  var format = remove(formats, row.id)
  if row.type !=# 'exec'
    return
  endif
  # The directory comes first, so that relative names begin there.
  setqflist([], ' ', {title: row.title, efm: '%DJobline-directory %f',
    lines: ['Jobline-directory ' .. get(row, 'dir', getcwd())]})
  Slice({list: getqflist({id: 0}).id, format: format, buffer: buffer,
    at: max([1, getbufinfo(buffer)[0].linecount - MOST]), found: 0, first: 0, failed: row.state ==# 'failed'})
enddef

# Slice looks at the next lines of a search.
def Slice(search: dict<any>)
  var begun = reltime()
  while reltimefloat(reltime(begun)) * 1000 < WORK
    var lines = getbufline(search.buffer, search.at, search.at + SLICE - 1)
    if empty(lines)
      Ready(search)
      return
    endif
    for [i, item] in items(getqflist({efm: search.format, lines: lines}).items)
      if item.valid
        search.found += 1
        search.first = search.first ?? getqflist({id: search.list, size: 0}).size + i + 1
      endif
    endfor
    # The list parses them again, since a message may have begun in the lines before.
    setqflist([], 'a', {id: search.list, efm: search.format, lines: lines})
    search.at += SLICE
  endwhile
  timer_start(WORK, (_) => Slice(search))
enddef

def Ready(search: dict<any>)
  if search.found == 0
    return
  endif
  setqflist([], 'a', {id: search.list, idx: search.first})
  if getqflist({id: 0}).id == search.list
    silent doautocmd <nomodeline> QuickFixCmdPost make
  endif
  program.Tell(printf('%d place%s in the quickfix list: :cc, :copen', search.found, search.found == 1 ? '' : 's'),
    search.failed ? 'WarningMsg' : 'MoreMsg')
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
