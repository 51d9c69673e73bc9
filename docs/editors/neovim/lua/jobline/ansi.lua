-- Text as a program writes it for a terminal, made fit for a buffer: colours become
-- highlights, and every other control character goes.
local M = {}

local CONTROL = '[%z\1-\8\11-\31\127]'
local MOST_GROUPS = 2000 -- of highlights; a program that uses more colours loses some

local steps = { [0] = 0, 95, 135, 175, 215, 255 } -- of the colour cube
local basic = vim.split(
  '000000 cd3131 0dbc79 b5a642 2472c8 bc3fbc 11a8cd cccccc 767676 f14c4c 23d18b f5f543 3b8eea d670d6 29b8db ffffff', ' ')
local switches = { [1] = 'bold', [3] = 'italic', [4] = 'underline', [7] = 'reverse', [9] = 'strikethrough' }
local members = vim.list_extend({ 'fg', 'bg' }, vim.tbl_values(switches))
local groups, count = {}, 0

-- rgb is the colour of an index from 0 to 255.
local function rgb(index)
  if not index then return nil end
  if index < 16 then return vim.g['terminal_color_' .. index] or '#' .. basic[index + 1] end
  local n, grey = index - 16, 8 + (index - 232) * 10
  if index > 231 then return ('#%02x%02x%02x'):format(grey, grey, grey) end
  return ('#%02x%02x%02x'):format(steps[math.floor(n / 36)], steps[math.floor(n / 6) % 6], steps[n % 6])
end

local function define(name, style)
  local look = { fg = rgb(style.fg), bg = rgb(style.bg), ctermfg = style.fg, ctermbg = style.bg }
  for _, switch in pairs(switches) do look[switch] = style[switch] end
  vim.api.nvim_set_hl(0, name, look)
end

-- group answers the highlight of a style, or false for that of normal text.
local function group(style)
  if style.group ~= nil then return style.group end
  local name = ''
  for _, member in ipairs(members) do
    if style[member] then name = name .. '_' .. member .. (style[member] == true and '' or style[member]) end
  end
  if name ~= '' and not groups[name] and count < MOST_GROUPS then
    groups[name], count = style, count + 1
    define('JoblineAnsi' .. name, style)
  end
  style.group = groups[name] and 'JoblineAnsi' .. name or false
  return style.group
end

vim.api.nvim_create_autocmd('ColorScheme', { -- which clears them
  group = vim.api.nvim_create_augroup('jobline_ansi', {}),
  callback = function() for name, style in pairs(groups) do define('JoblineAnsi' .. name, style) end end,
})

-- colour is the index that one code from 30 to 37 or from 90 to 97 means.
local function colour(code)
  return code >= 30 and code <= 37 and code - 30 or code >= 90 and code <= 97 and code - 82 or nil
end

-- cube is the index of the colour cube that is near a colour.
local function cube(...)
  local index = 16
  for i = 1, 3 do
    local v = select(i, ...) or 0
    index = index + 6 ^ (3 - i) * (v < 48 and 0 or v < 115 and 1 or math.min(5, math.floor((v - 35) / 40)))
  end
  return index
end

-- sgr answers a style as the parameters of a sequence that ends with m change it.
local function sgr(before, parameters)
  local style, codes, i = {}, {}, 1
  for _, member in ipairs(members) do style[member] = before[member] end
  for code in (parameters:gsub(':', ';') .. ';'):gmatch('(%d*);') do codes[#codes + 1] = tonumber(code) or 0 end
  while codes[i] do
    local code = codes[i]
    local extended = code == 38 and 'fg' or code == 48 and 'bg'
    if code == 0 then style = {}
    elseif extended and codes[i + 1] == 5 then
      style[extended], i = math.min(codes[i + 2] or 0, 255), i + 2
    elseif extended and codes[i + 1] == 2 then
      style[extended], i = cube(codes[i + 2], codes[i + 3], codes[i + 4]), i + 4
    elseif switches[code] then style[switches[code]] = true
    elseif code == 22 then style.bold = nil
    elseif switches[code - 20] then style[switches[code - 20]] = nil
    elseif code == 39 or colour(code) then style.fg = colour(code)
    elseif code == 49 or colour(code - 10) then style.bg = colour(code - 10)
    end
    i = i + 1
  end
  return style
end

-- after answers where an escape sequence that begins at a place has its end, and the
-- style as it is then.
local function after(line, at, style)
  local _, stop, parameters, final = line:find('^%[([0-9;:<=>?]*)[ -/]*([@-~])', at + 1)
  if stop then
    return stop + 1, final == 'm' and not parameters:find('[<=>?]') and sgr(style, parameters) or style
  end
  if line:find('^[%]PX^_]', at + 1) then -- a text for the terminal, which BEL or ST ends
    local bell, st = line:find('\7', at, true), line:find('\27\\', at, true)
    return math.min(bell or #line, st and st + 1 or #line) + 1, style
  end
  return (select(2, line:find('^[ -/]*[0-~]', at + 1)) or at) + 1, style
end

--- Makes a line of a buffer from one that begins in a style: its text, { from, to,
--- highlight } for each coloured part, and the style in which it ends. Of a line that
--- carriage returns have written over, the last state is left.
function M.line(line, style)
  if not line:find(CONTROL) then return line, group(style) and { { 0, #line, group(style) } } or {}, style end
  line = line:gsub('\r+$', ''):gsub('[^\128-\191\8][\128-\191]*\8', '')
  local text, spans, at, shown = '', {}, 1, (line:find('\r[^\r]*$') or 0) + 1
  while at <= #line do
    local escape = line:find('\27', at, true)
    local part = line:sub(math.max(at, shown), escape and escape - 1):gsub(CONTROL, '')
    if part ~= '' and group(style) then spans[#spans + 1] = { #text, #text + #part, group(style) } end
    text = text .. part
    if not escape then break end
    at, style = after(line, escape, style)
  end
  return text, spans, style
end

return M
