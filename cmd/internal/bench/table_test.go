package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDigits(t *testing.T) {
	for want, v := range map[string]float64{
		"0.00": 0, "1.23": 1.234, "12.3": 12.34, "123": 123.4, "1234": 1234.4, "12,345": 12345.4,
		"1,234,567": 1234567, "-12,345": -12345, "-0.50": -0.5, "-123,456": -123456,
	} {
		require.Equal(t, want, digits(v))
	}
}

func TestPercentiles(t *testing.T) {
	samples := []int64{5, 3, 1, 4, 2}
	for p, want := range map[float64]time.Duration{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.99: 5, 1: 5} {
		require.Equal(t, want, percentile(samples, p), "%v", p)
	}
	require.Equal(t, time.Duration(7), percentile([]int64{7}, 0.5))
}

func TestMedians(t *testing.T) {
	b := &bench{}
	for _, v := range []float64{9, 1, 5} {
		b.record("odd", "us", v)
		b.record("even", "us", v)
	}
	b.record("even", "us", 6)
	require.Equal(t, &benchRow{Name: "odd", Unit: "us", Median: 5, Min: 1, Max: 9, Values: []float64{9, 1, 5}}, b.rows[0])
	require.Equal(t, 5.5, b.rows[1].Median)
}

// TestNotMeasured: what was too small for its clock is no 0.
func TestNotMeasured(t *testing.T) {
	b := &bench{}
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		b.record("never", "us", v)
		b.record("once", "us", v)
	}
	b.record("once", "us", 3)
	var out bytes.Buffer
	require.NoError(t, b.print(&out))
	require.Regexp(t, `(?m)^ +- +- +- +us +never$`, out.String())
	require.Regexp(t, `(?m)^ +3\.00 +3\.00 +3\.00 +us +once$`, out.String())
	out.Reset()
	require.NoError(t, b.printJSON(&out, nil))
	var found struct {
		Rows []map[string]any `json:"rows"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &found))
	require.Equal(t, map[string]any{"name": "never", "unit": "us", "values": []any{}}, found.Rows[0])
	require.Equal(t, 3.0, found.Rows[1]["median"])
}

func TestHistogram(t *testing.T) {
	require.Empty(t, histogram(nil))
	buckets := histogram([]int64{8000, 2000, 1900, 2000})
	require.Equal(t, 3, buckets[0].Count)
	require.InDelta(t, 2, buckets[0].UpToUs, 1e-9)
	all := 0
	for _, b := range buckets {
		all += b.Count
	}
	require.Equal(t, 4, all)
	require.Equal(t, 1, buckets[len(buckets)-1].Count)

	var out bytes.Buffer
	require.NoError(t, printHistogram(&out, []bucket{{2, 3}, {2.83, 0}, {4, 1}}))
	require.Equal(t, "\none noop task at a time, submit to task/finished, 4 samples\n"+
		"  <= 2.00 us  75.000% "+strings.Repeat("#", 50)+"\n"+
		"  <= 2.83 us  75.000% \n"+
		"  <= 4.00 us 100.000% "+strings.Repeat("#", 17)+"\n", out.String())
}

func TestEcho(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Echo(strings.NewReader("one\ntwo\n"), &out))
	require.Equal(t, "one\ntwo\n", out.String())
	out.Reset()
	require.NoError(t, Echo(strings.NewReader("one\n"), &out, 7, 2))
	require.Equal(t, "one...\no\n", out.String(), "answers of given sizes")
	require.Error(t, Echo(strings.NewReader(strings.Repeat("x", benchBuffer+1)), &out))
}

func TestSubmitLines(t *testing.T) {
	require.Equal(t,
		`{"jsonrpc":"2.0","id":7,"method":"submit","params":{"type":"noop","events":["finished"]}}`+"\n"+
			`{"jsonrpc":"2.0","id":8,"method":"submit","params":{"type":"noop","events":["finished"]}}`+"\n",
		string(submitLines(7, 2, noopParams)))
}
