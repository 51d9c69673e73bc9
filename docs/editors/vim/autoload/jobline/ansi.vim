vim9script
# Text as a program writes it for a terminal, made fit for a buffer: colours become text
# properties, and other control characters go.

const MOST_KINDS = 1000 # of looks; a program that uses more loses some
const MOST_SPANS = 200 # coloured parts of one line
const CONTROL = "[\x01-\x08\x0b-\x1f\x7f]"
# A sequence: of parameters and a last letter, a text that BEL or ST ends, or of two characters.
const SEQUENCE = "\e\\%(\\[[0-9:;<=>?]*[ -/]*[@-~]\\|[]PX^_][^\x07\e]*\\%(\x07\\|\e\\\\\\)\\=\\|[ -/]*[0-~]\\)\\="
const NAMES = {1: 'bold', 3: 'italic', 4: 'underline', 7: 'reverse', 9: 'strikethrough'}
const BASIC = ['#000000', '#cd3131', '#0dbc79', '#b5a642', '#2472c8', '#bc3fbc', '#11a8cd', '#cccccc',
  '#767676', '#f14c4c', '#23d18b', '#f5f543', '#3b8eea', '#d670d6', '#29b8db', '#ffffff']

var kinds: dict<string> = {} # the type of a text property for each look

# Rgb is the colour of an index from 0 to 255.
def Rgb(index: number): string
  if index < 16
    return get(g:, 'terminal_ansi_colors', BASIC)->get(index, BASIC[index])
  elseif index > 231
    return printf('#%02x%02x%02x', 8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10)
  endif
  var steps = [0, 95, 135, 175, 215, 255]
  var n = index - 16
  return printf('#%02x%02x%02x', steps[n / 36], steps[n / 6 % 6], steps[n % 6])
enddef

# Kind is the type of a text property for a look: the colours of text and ground, and
# the attributes, as "1,,bold".
def Kind(look: string): string
  if has_key(kinds, look) || len(kinds) >= MOST_KINDS
    return get(kinds, look, '')
  endif
  var parts = split(look, ',', true)
  var name = 'jobline_' .. substitute(look, ',', '_', 'g')
  var rule = parts[0] == '' ? '' : ' ctermfg=' .. parts[0] .. ' guifg=' .. Rgb(str2nr(parts[0]))
  rule ..= parts[1] == '' ? '' : ' ctermbg=' .. parts[1] .. ' guibg=' .. Rgb(str2nr(parts[1]))
  var attributes = parts[2 :]->filter((_, a) => a != '')->join(',')
  rule ..= attributes == '' ? '' : ' term=' .. attributes .. ' cterm=' .. attributes .. ' gui=' .. attributes
  execute 'highlight' name rule
  prop_type_add(name, {highlight: name, combine: true})
  kinds[look] = name
  return name
enddef

# Cube is the index of the colour cube that is near a colour.
def Cube(colours: list<string>): number
  var index = 16
  for i in range(3)
    var v = get(colours, i, '0')->str2nr()
    index += (v < 48 ? 0 : v < 115 ? 1 : min([5, (v - 35) / 40])) * [36, 6, 1][i]
  endfor
  return index
enddef

# Sgr answers a look as the parameters of a sequence that ends with m change it.
def Sgr(look: string, parameters: string): string
  var [fg, bg] = look == '' ? ['', ''] : split(look, ',', true)[0 : 1]
  var attributes = look == '' ? [] : split(look, ',', true)[2 :]
  var codes = split(substitute(parameters, ':', ';', 'g'), ';', true)
  var i = 0
  while i < len(codes)
    var code = str2nr(codes[i])
    if code == 0
      [fg, bg, attributes] = ['', '', []]
    elseif code == 38 || code == 48
      var colour = ''
      if get(codes, i + 1, '') == '5'
        colour = string(min([255, get(codes, i + 2, '0')->str2nr()]))
        i += 2
      elseif get(codes, i + 1, '') == '2'
        colour = string(Cube(codes[i + 2 : i + 4]))
        i += 4
      endif
      if code == 38
        fg = colour
      else
        bg = colour
      endif
    elseif code >= 30 && code <= 37
      fg = string(code - 30)
    elseif code >= 90 && code <= 97
      fg = string(code - 82)
    elseif code == 39
      fg = ''
    elseif code >= 40 && code <= 47
      bg = string(code - 40)
    elseif code >= 100 && code <= 107
      bg = string(code - 92)
    elseif code == 49
      bg = ''
    elseif has_key(NAMES, code)
      attributes = sort(attributes + [NAMES[code]])->uniq()
    elseif code >= 22 && code <= 29
      var off = code == 22 ? 'bold' : get(NAMES, code - 20, '')
      attributes = attributes->filter((_, a) => a !=# off)
    endif
    i += 1
  endwhile
  attributes = attributes->filter((_, a) => a != '')
  return fg == '' && bg == '' && empty(attributes) ? '' : join([fg, bg] + attributes, ',') .. (empty(attributes) ? ',' : '')
enddef

# Line makes a line of a buffer from one that begins in a look: its text, the coloured
# parts as [column, length, type], and the look in which it ends. Of a line that carriage
# returns have written over, the last state is left.
export def Line(raw: string, before: string): list<any>
  var look = before
  if raw !~# CONTROL
    return [raw, look == '' || raw == '' ? [] : [[1, strlen(raw), Kind(look)]], look]
  endif
  var line = substitute(raw, '\r\+$', '', '')
  while stridx(line, "\b") >= 0 # what was struck over goes
    var shorter = substitute(line, "[^\b]\b", '', '')
    line = shorter ==# line ? substitute(line, "\b", '', 'g') : shorter
  endwhile
  var shown = strridx(line, "\r") + 1 # what is before is written over, but its colours last
  var text = ''
  var spans: list<list<any>> = []
  var at = 0
  while at < strlen(line)
    var [sequence, start, end] = matchstrpos(line, SEQUENCE, at)
    var stop = start < 0 ? strlen(line) : start
    var from = max([at, shown])
    var part = stop > from ? strpart(line, from, stop - from)->substitute(CONTROL, '', 'g') : ''
    if part != '' && look != '' && len(spans) < MOST_SPANS
      var kind = Kind(look)
      if kind != ''
        add(spans, [strlen(text) + 1, strlen(part), kind])
      endif
    endif
    text ..= part
    if start < 0
      break
    endif
    if sequence =~# "^\e\\[[0-9:;]*m$"
      look = Sgr(look, strpart(sequence, 2, strlen(sequence) - 3))
    endif
    at = end
  endwhile
  return [text, spans, look]
enddef

# All is compiled here. A function that is compiled in a callback can leave Vim scrolling its messages.
defcompile
