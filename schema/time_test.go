package schema_test

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
)

func TestTimeIsWrittenAsPackageTimeWouldWriteIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// The years 0 to 9999, and a little beyond.
		at := schema.Time(rapid.Int64Range(-63_000_000_000_000_000, 254_000_000_000_000_000).Draw(t, "microseconds"))
		require.Equal(t, at.Time().Format("2006-01-02T15:04:05.000000Z"), string(at.Append(nil)))
	})
	rapid.Check(t, func(t *rapid.T) { // of few seconds, whose texts are kept
		for _, n := range rapid.SliceOfN(rapid.Int64Range(0, 40_000_000), 0, 20).Draw(t, "microseconds") {
			at := schema.TimeOf(time.Date(2028, 2, 29, 23, 59, 40, 0, time.UTC)) + schema.Time(n)
			require.Equal(t, at.Time().Format("2006-01-02T15:04:05.000000Z"), string(at.Append(nil)))
		}
	})
	for _, text := range []string{"1970-01-01T00:00:00.000001Z", "2000-02-29T23:59:59.999999Z", "2100-03-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"} {
		var at schema.Time
		require.NoError(t, at.UnmarshalText([]byte(text)))
		require.Equal(t, text, at.String())
	}
	for _, text := range []string{"1970-01-01T00:00:00Z", "1970-01-01T01:00:00.0000001+01:00"} {
		var at schema.Time
		require.NoError(t, at.UnmarshalText([]byte(text)))
		require.False(t, at.IsZero(), "it is a time, and not none")
		require.Equal(t, "1970-01-01T00:00:00.000001Z", at.String())
	}
}

// TestTimesThatCannotBeWrittenAreNotRead: an offset can put a time into a year that has no RFC 3339
// form. If it were read, nobody could write it again.
func TestTimesThatCannotBeWrittenAreNotRead(t *testing.T) {
	params, err := schema.Derive[schema.SubmitParams]()
	require.NoError(t, err)
	for text, good := range map[string]bool{
		"9999-12-31T23:59:59.999999Z": true, "9999-12-31T23:59:59+00:01": true, "9999-12-31T23:59:59-00:01": false, "9999-12-31T23:59:59-23:59": false,
		"0000-01-01T00:00:00Z": true, "0000-01-01T00:00:00-00:01": true, "0000-01-01T00:00:00+00:01": false,
	} {
		var at schema.Time
		found := params.Validate(jsontext.Value(`{"type":"noop","runAt":"` + text + `"}`))
		if err := at.UnmarshalText([]byte(text)); !good {
			require.ErrorContains(t, err, "is not within 0..9999", text)
			require.Equal(t, []schema.Violation{{Pointer: "/runAt", Message: "want a time within the years 0 to 9999 in UTC"}}, found)
			continue
		}
		require.Nil(t, found, text)
		_, err := at.MarshalText()
		require.NoError(t, err, text)
	}
}

func BenchmarkTimeAppend(b *testing.B) {
	at := schema.TimeOf(time.Now())
	var buf [32]byte
	for b.Loop() {
		at.Append(buf[:0])
	}
}
