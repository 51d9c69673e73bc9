package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTimesAreRFC3339: this package, the JSON package and another validator
// take the same texts for times.
func TestTimesAreRFC3339(t *testing.T) {
	s := mustDerive[time.Time](t)
	other := compileOracle(t, s)
	agree := func(t require.TestingT, text string) (valid bool) {
		quoted, err := jsontext.AppendQuote(nil, text)
		require.NoError(t, err)
		valid = s.Validate(quoted) == nil
		require.Equal(t, valid, other.Validate(text) == nil, "%q: the oracle", text)
		require.Equal(t, valid, json.Unmarshal(quoted, new(time.Time)) == nil, "%q: the JSON package", text)
		require.Equal(t, valid, new(Time).UnmarshalText([]byte(text)) == nil, "%q: Time", text)
		return valid
	}
	for text, want := range map[string]bool{
		"2026-01-02T03:04:05Z": true, "2026-01-02T03:04:05.5Z": true, "2026-01-02T03:04:05.123456789123+23:59": true,
		"2026-01-02T03:04:05-23:59": true, "2024-02-29T00:00:00Z": true, "0000-01-01T00:00:00-00:00": true,
		"2026-01-02T3:04:05Z": false, "2026-01-02T03:04:05,5Z": false, "2026-01-02T03:04:05+24:00": false,
		"2026-01-02T03:04:05+23:60": false, "2026-01-02T03:04:05-24:00": false, "2026-01-02T03:04:60Z": false,
		"2026-01-02T24:00:00Z": false, "2026-02-29T00:00:00Z": false, "2026-01-02t03:04:05z": false, "2026-01-02 03:04:05Z": false,
		"2026-01-02T03:04:05": false, "2026-01-02T03:04:05.Z": false, "2026-01-02": false, "": false, "12026-01-02T03:04:05Z": false,
		"2026-01-02T03:04:05Z\n": false, "2026-01-02T03:04:05+0100": false,
	} {
		require.Equal(t, want, agree(t, text), text)
	}
	rapid.Check(t, func(t *rapid.T) {
		agree(t, rapid.StringMatching(`20(26|00|24)-(0[1-9]|1[0-3])-(29|30|31|32|01)[T t]([0-2]?[0-9]):[0-6][0-9]:[0-6][0-9]([.,][0-9]{0,3})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9])`).Draw(t, "time"))
	})
}

func TestTimesWithoutAForm(t *testing.T) {
	for at, want := range map[Time]string{
		TimeOf(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)):                "0000-01-01T00:00:00.000000Z",
		TimeOf(time.Date(9999, 12, 31, 23, 59, 59, 999999e3, time.UTC)): "9999-12-31T23:59:59.999999Z",
		TimeOf(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)):            "the year 10000 is not within 0..9999",
		TimeOf(time.Date(-1, 12, 31, 23, 59, 59, 0, time.UTC)):          "the year -1 is not within 0..9999",
	} {
		text, err := at.MarshalText()
		if err != nil {
			require.ErrorContains(t, err, want)
			require.Equal(t, at.Time().Format(timeLayout), at.String(), "a log shows it all the same")
			continue
		}
		require.Equal(t, want, string(text))
	}
}

// TestBytesOfAnArray: as many as the array has, though the text is as long for
// one or two more.
func TestBytesOfAnArray(t *testing.T) {
	s := mustDerive[[5]byte](t)
	require.Nil(t, s.Validate(jsontext.Value(`"AAAAAAA="`)))
	require.Equal(t, []Violation{{"", "want 5 bytes in base64"}}, s.Validate(jsontext.Value(`"AAAAAA=="`)), "4 of them")
	require.Equal(t, []Violation{{"", "want 5 bytes in base64"}}, s.Validate(jsontext.Value(`"AAAAAAAA"`)), "6 of them")
	require.Equal(t, []Violation{{"", "want base64 with padding"}}, s.Validate(jsontext.Value(`"AAAAAAB="`)), "bits that are none of them")
	require.Equal(t, []Violation{{"", "got 4, want at least 8 characters"}}, s.Validate(jsontext.Value(`"AAA="`)))
}

// TestShownValuesAreBounded: 32 bytes of a number or a name are shown.
func TestShownValuesAreBounded(t *testing.T) {
	s := mustDerive[struct {
		N int8   `json:"n"`
		S Stream `json:"s"`
	}](t)
	long := strings.Repeat("7", maxShown)
	require.Equal(t, []Violation{
		{"/n", "got " + long + ", want at most 127"}, {"/s", `got "` + long + `", want one of "stdout", "stderr", "log"`},
	}, s.Validate(jsontext.Value(`{"n":`+long+`,"s":"`+long+`"}`)))
	require.Equal(t, []Violation{
		{"/n", "got " + long + "…, want at most 127"}, {"/s", `got another text, want one of "stdout", "stderr", "log"`},
	}, s.Validate(jsontext.Value(`{"n":`+long+`7,"s":"`+long+`7"}`)))
}

func TestEmptyListsCanBeLeftOut(t *testing.T) {
	s := mustDerive[struct {
		Must []int `json:"must" schema:"minItems=1"`
		May  []int `json:"may,omitzero" schema:"minItems=1"`
	}](t)
	require.Equal(t, []Violation{
		{"/must", "got 0, want at least 1 element"}, {"/may", "got 0, want at least 1 element, or leave it out"},
	}, s.Validate(jsontext.Value(`{"must":[],"may":[]}`)))
}
