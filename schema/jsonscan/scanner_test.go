package jsonscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const testDepth = 10_000 // that of jsontext

// want is what the strict decoder of another project says of the value that a
// text begins with.
func want(text []byte) (end int, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if _, err := dec.ReadValue(); err != nil {
		return 0, err
	}
	return int(dec.InputOffset()), nil
}

// agree holds the scanner against the decoder: the same texts are valid, their
// values end in the same place, and what is wrong is told in the same place and words.
func agree(t require.TestingT, text []byte) {
	var s Scanner
	s.Reset(text, testDepth)
	value := s.Value()
	end, err := want(text)
	if err == nil {
		require.Nil(t, s.Err(), "%q", text)
		require.Equal(t, end, s.Offset(), "%q", text)
		require.Equal(t, string(bytes.TrimLeft(text[:end], " \t\r\n")), string(value))
		return
	}
	require.NotNil(t, s.Err(), "%q: %v", text, err)
	require.Nil(t, value)
	syntactic, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		require.ErrorIs(t, s.Err(), io.ErrUnexpectedEOF, "%q", text)
	case ok && errors.Is(err, jsontext.ErrDuplicateName):
		require.ErrorIs(t, s.Err(), ErrDuplicateName, "%q", text)
		require.Equal(t, syntactic.JSONPointer.LastToken(), s.Err().Name)
		require.EqualValues(t, syntactic.ByteOffset, s.Err().Offset)
		require.EqualValues(t, syntactic.JSONPointer, s.Err().Pointer)
	case strings.Contains(err.Error(), "exceeded max depth"):
		require.ErrorIs(t, s.Err(), ErrDepth)
	default:
		require.True(t, ok)
		require.EqualValues(t, syntactic.ByteOffset, s.Err().Offset, "%q: %v, not %v", text, s.Err(), err)
		require.EqualValues(t, syntactic.JSONPointer, s.Err().Pointer, "%q: %v, not %v", text, s.Err(), err)
		require.Equal(t, syntactic.Err.Error(), s.Err().Err.Error(), "%q", text)
	}
}

// walked is a value as the scanner finds its parts, one by one.
func walked(s *Scanner, b *strings.Builder) {
	switch s.Kind() {
	case '{':
		b.WriteByte('{')
		for s.Open(); s.Next(); {
			fmt.Fprintf(b, "%q:", s.Name())
			walked(s, b)
		}
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for s.Open(); s.Next(); {
			walked(s, b)
		}
		b.WriteByte(']')
	default:
		fmt.Fprintf(b, "%s at %s,", s.Value(), s.Pointer())
	}
}

// decoded is the same by the decoder.
func decoded(dec *jsontext.Decoder, b *strings.Builder) error {
	kind := dec.PeekKind()
	if kind != '{' && kind != '[' {
		value, err := dec.ReadValue()
		fmt.Fprintf(b, "%s at %s,", value, dec.StackPointer())
		return err
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	b.WriteByte(byte(kind))
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		if kind == '{' {
			name, err := dec.ReadToken()
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "%q:", name.String())
		}
		if err := decoded(dec, b); err != nil {
			return err
		}
	}
	b.WriteByte(byte(kind) + 2)
	_, err := dec.ReadToken()
	return err
}

// agreeOnParts holds the members and elements that both find against each other.
func agreeOnParts(t require.TestingT, text []byte) {
	var s Scanner
	s.Reset(text, testDepth)
	var got, wanted strings.Builder
	walked(&s, &got)
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if err := decoded(dec, &wanted); err != nil {
		require.NotNil(t, s.Err(), "%q: %v", text, err)
		return
	}
	require.Nil(t, s.Err(), "%q", text)
	require.Equal(t, wanted.String(), got.String())
	require.EqualValues(t, dec.InputOffset(), s.Offset())
}

var samples = []string{
	``, ` `, `{}`, `[]`, ` { } `, `[ ]x`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":1}}`, `{"a" : [ 1 , 2 ] , "b":"c"}`,
	`[1,]`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{"a":1 "b":2}`, `[1 2]`, `[1}`, `{]`, `{1:2}`, `[[[`, `{"a`, `"`, `"\`, `"\u`, `"\u12`, `"\u12x"`,
	`"\x"`, `"\ud83e"`, `"\ud83e\udd84"`, `"\ud83e\u0041"`, `"\ud83e\ud83e"`, `"\udd84"`, `"\ud83e\`, `"\ud83e\u`, `"\ud83e\ud`, `"\ud83e\udd8`, `"\ud83e\u1`, `"\ud83e `, `"\ud83exxxxxxxxxxx"`,
	"\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\xff\"", "\"\xc3\"", "\"\xc3", "\"\xe2\x82", "\"\xed\xa0\x80\"", "\"é\"", "\"🦄🦄🦄🦄 and more\"", "\"12345678\x01\"", "\xff", "\xef\xbb\xbf{}", "é",
	`0`, `-0`, `-`, `-x`, `01`, `1.`, `1.x`, `1.5`, `1e`, `1e+`, `1e+x`, `1E5`, `1e05`, `-1.5e-10,`, `+1`, `.5`, `1..2`, `0x1`,
	`true`, `tru`, `trux`, `false`, `fals}`, `null`, `nul`, `nan`, `truetrue`, `'a'`, `/**/{}`, `{"a":tru}`,
	"{\"a\":\"b\xff\"}", "{\"a\xff\":1}", `{"~/":[{"x":[0,{"y":z}]}]}`, `{"a":[1,{"b":2]}`, "[\u00a01]", "{\"a\":\n\t\r 1}", "[`]",
}

func TestSamplesAgreeWithTheDecoder(t *testing.T) {
	for _, text := range samples {
		for _, before := range []string{"", " ", `[`, `[0,`, `{"k":`, `{"k":0,"l":`} {
			agree(t, []byte(before+text))
			agree(t, []byte(before+text+`,"end":[]}`))
			agreeOnParts(t, []byte(before+text))
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range samples {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop","events":["finished"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		agree(t, text)
		agreeOnParts(t, text)
	})
}

// drawText draws pieces of JSON one after the other, which are rarely valid, or a
// valid value that is cut and spoiled in one place.
func drawText(t *rapid.T) []byte {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"{", "}", "[", "]", ",", ":", `"a"`, `"b"`, `"\u0061"`, `"é"`, "0", "-1", "1.5e3", "true", "null", " ", "\n", `"`, `\`, "x", "\x00", "\xff", `"long enough to be read by words"`, `"\ud83e\udd84"`,
	}), 0, 12).Draw(t, "pieces")
	return []byte(strings.Join(pieces, ""))
}

// drawValue draws a valid value.
func drawValue(t *rapid.T, depth int) string {
	most := 3
	if depth > 0 {
		most = 5
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "literal")
	case 1:
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
	case 2, 3:
		return drawString(t)
	case 4:
		return "[" + drawList(t, func() string { return drawValue(t, depth-1) }) + "]"
	default:
		return "{" + drawList(t, func() string {
			return drawString(t) + drawBlank(t) + ":" + drawBlank(t) + drawValue(t, depth-1)
		}) + "}"
	}
}

func drawList(t *rapid.T, draw func() string) string {
	items := make([]string, rapid.IntRange(0, 6).Draw(t, "length"))
	for i := range items {
		items[i] = drawBlank(t) + draw() + drawBlank(t)
	}
	return strings.Join(items, ",")
}

func drawBlank(t *rapid.T) string { return rapid.StringMatching(`[ \t\r\n]{0,2}`).Draw(t, "blank") }

func drawString(t *rapid.T) string {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		`a`, `b`, `é`, `🦄`, `\"`, `\\`, `\/`, `\n`, `\u00e9`, `\ud83e\udd84`, `{`, `]`, `,`, `:`, ` `, `\u0000`, `\u0022`, `12345678`,
	}), 0, 6).Draw(t, "string")
	return `"` + strings.Join(pieces, "") + `"`
}

func TestScannerAgreesWithTheDecoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(t)
		agree(t, text)
		agreeOnParts(t, text)
	})
	rapid.Check(t, func(t *rapid.T) { // names repeat often, so this is of duplicates, too
		text := []byte(drawValue(t, 4))
		agree(t, text)
		agreeOnParts(t, text)
		agree(t, text[:rapid.IntRange(0, len(text)).Draw(t, "cut")])
		text[rapid.IntRange(0, len(text)-1).Draw(t, "place")] = rapid.Byte().Draw(t, "byte")
		agree(t, text)
	})
}

// An object of many members has a table of names, which grows.
func TestManyNames(t *testing.T) {
	for _, count := range []int{fewNames - 1, fewNames, fewNames + 1, firstTable, 1000} {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, `"n%d":{"n1":0,"n2":[{}]},`, i)
		}
		inside := strings.TrimSuffix(b.String(), ",")
		agree(t, []byte("{"+inside+"}"))
		agree(t, []byte("["+"{"+inside+"},{"+inside+"}]"))
		for _, again := range []string{`"n0":1`, `"\u006e1":1`, fmt.Sprintf(`"n%d":1`, count-1), fmt.Sprintf(`"n%d":1`, count)} {
			agree(t, []byte("{"+inside+","+again+"}"))
			agree(t, []byte(`{"n1":{`+inside+","+again+"}}"))
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat(`{"a":[`, n) + strings.Repeat(`]}`, n)) }
	var s Scanner
	s.Reset(nested(5), 10)
	require.NotNil(t, s.Value())
	s.Reset(nested(5), 9)
	require.Nil(t, s.Value())
	require.ErrorIs(t, s.Err(), ErrDepth)
	require.False(t, s.Next())
	agree(t, nested(testDepth/2))
	agree(t, nested(testDepth/2+1))
}

func TestScannerAllocatesNothing(t *testing.T) {
	text := []byte(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop","labels":{"é":"\n"},"events":["finished"],"input":[1.5,true,null]}}`)
	var s Scanner
	require.Zero(t, testing.AllocsPerRun(10, func() {
		s.Reset(text, 10)
		if s.Value() == nil || !s.AtEnd() {
			panic(s.Err())
		}
	}))
}

func BenchmarkScanner(b *testing.B) {
	text := []byte(`{"jsonrpc":"2.0","id":123456,"method":"submit","params":{"type":"noop","events":["finished"]}}`)
	var s Scanner
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Reset(text, 1000)
		s.Value()
	}
	require.Nil(b, s.Err())
}

func BenchmarkDecoder(b *testing.B) {
	text := []byte(`{"jsonrpc":"2.0","id":123456,"method":"submit","params":{"type":"noop","events":["finished"]}}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if !jsontext.Value(text).IsValid() {
			b.Fatal()
		}
	}
}
