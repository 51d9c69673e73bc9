package show

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// shownLines are the lines of pieces of text, as a viewer has them in the end.
func shownLines(pieces ...string) []ShownLine {
	var text TerminalText
	var lines TerminalLines
	shown := []ShownLine{{}}
	for _, piece := range pieces {
		shown = append(shown[:len(shown)-1], lines.Append(text.Append(nil, []byte(piece)))...)
	}
	return shown
}

func TestLinesOfATerminal(t *testing.T) {
	red := Look{Foreground: 2}
	for name, c := range map[string]struct {
		pieces []string
		want   []ShownLine
	}{
		"plain":             {[]string{"one\ntw", "o\n"}, []ShownLine{{"one", nil}, {"two", nil}, {}}},
		"colours":           {[]string{"a\x1b[31mb", "c\nd\x1b[0me"}, []ShownLine{{"abc", []ColouredPart{{1, 2, red}}}, {"de", []ColouredPart{{0, 1, red}}}}},
		"bytes":             {[]string{"é\x1b[31mß"}, []ShownLine{{"éß", []ColouredPart{{2, 2, red}}}}},
		"a progress bar":    {[]string{"10%\r", "50%\r100%", "\r\n"}, []ShownLine{{"100%", nil}, {}}},
		"an erased line":    {[]string{"10%\r\x1b[Kdone\x1b[2K"}, []ShownLine{{}}},
		"erase to the end":  {[]string{"kept\x1b[K"}, []ShownLine{{"kept", nil}}},
		"struck over":       {[]string{"ab\x1b[31mé\b\bB\b\b\b\bx"}, []ShownLine{{"x", []ColouredPart{{0, 1, red}}}}},
		"a look that stays": {[]string{"\x1b[31m10%\r\x1b[mok"}, []ShownLine{{"ok", nil}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, shownLines(c.pieces...)) })
	}
}

func TestLooksByTheirCodes(t *testing.T) {
	for parameters, want := range map[string]string{
		"1;31": "1__bold", "38;5;208": "208_", "48;2;0;0;255": "_21", "38:2:255:0:0": "196_", "97;101": "15_9",
		"3;4;7;9": "__italic_underline_reverse_strikethrough", "1;22": "_", "31;39;41;49": "_", "": "_", "38": "_", "38;5": "0_", "4;24;1": "__bold", "38;5;999": "255_",
	} {
		require.Equal(t, want, Look{}.after(parameters).Name(), "%q", parameters)
	}
	require.Equal(t, "_", Look{Foreground: 3, attributes: 1}.after("").Name())
}

func TestALongLineGoesOnInTheNext(t *testing.T) {
	text := strings.Repeat("ü", mostLineBytes)
	shown := shownLines("x"+text[:301], text[301:])
	var all strings.Builder
	for _, line := range shown {
		require.LessOrEqual(t, len(line.Text), mostLineBytes)
		require.True(t, utf8.ValidString(line.Text))
		all.WriteString(line.Text)
	}
	require.Equal(t, "x"+text, all.String())
}

// FuzzLinesOfATerminal: pieces change nothing, nothing that a terminal obeys is left, and each
// span is within its line.
func FuzzLinesOfATerminal(f *testing.F) {
	f.Add([]byte("a\x1b[31mb\r\x1b[Kc\bd\n\xff\x1b[38;5;2mé"), 5)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		cut = min(max(cut, 0), len(text))
		shown := shownLines(string(text[:cut]), string(text[cut:]))
		for _, line := range shown {
			require.False(t, bytes.ContainsAny([]byte(line.Text), "\x1b\r\n\b"), "%q", line.Text)
			require.True(t, utf8.ValidString(line.Text))
			for _, s := range line.Parts {
				require.LessOrEqual(t, s.Column+s.Length, len(line.Text))
				require.Positive(t, s.Length)
			}
		}
		whole := shownLines(string(text))
		require.Equal(t, len(whole), len(shown))
		for i := range whole {
			require.Equal(t, whole[i].Text, shown[i].Text)
		}
	})
}
