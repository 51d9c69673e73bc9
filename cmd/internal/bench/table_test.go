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
	r := &Report{}
	for _, v := range []float64{9, 1, 5} {
		r.add([]figure{{"odd", "us", v}, {"even", "us", v}}, nil)
	}
	r.add([]figure{{"even", "us", 6}}, nil)
	require.Equal(t, &row{Name: "odd", Unit: "us", summary: summary{5, 1, 9, []float64{9, 1, 5}}}, r.rows[0])
	require.Equal(t, 5.5, r.rows[1].Median)
}

// TestRatios: the ratio of a figure is the median of the rounds' ratios, not
// the ratio of the medians.
func TestRatios(t *testing.T) {
	r := &Report{compared: true}
	for _, round := range []struct{ ours, theirs float64 }{{10, 20}, {40, 10}, {30, 30}} {
		r.add([]figure{{"speed", "tasks/s", round.ours}}, []figure{{"speed", "tasks/s", round.theirs}})
	}
	require.Len(t, r.rows, 1)
	require.Equal(t, summary{30, 10, 40, []float64{10, 40, 30}}, r.rows[0].summary)
	require.Equal(t, &summary{20, 10, 30, []float64{20, 10, 30}}, r.rows[0].Theirs)
	require.Equal(t, &summary{1, 0.5, 4, []float64{0.5, 4, 1}}, r.rows[0].Ratio)

	r.add([]figure{{"never", "us", 0}, {"ours", "us", 1}}, []figure{{"never", "us", -1}, {"ours", "us", 0}})
	r.add([]figure{{"ours", "us", 3}}, []figure{{"ours", "us", 2}})
	var out bytes.Buffer
	require.NoError(t, r.printTable(&out))
	require.Regexp(t, `(?m)^ *ours +theirs +ours/theirs +lowest +highest +unit +what$`, out.String())
	require.Regexp(t, `(?m)^ *30\.0 +20\.0 +1\.00 +0\.50 +4\.00 +tasks/s +speed$`, out.String())
	require.Regexp(t, `(?m)^ *- +- +- +- +- +us +never$`, out.String(), "a ratio of nothing is none")
	require.Regexp(t, `(?m)^ *2\.00 +2\.00 +1\.50 +1\.50 +1\.50 +us +ours$`, out.String(), "only of rounds with both")
	out.Reset()
	require.NoError(t, r.PrintJSON(&out, nil))
	var found struct {
		Rows []struct {
			Name          string
			Median        float64
			Theirs, Ratio struct{ Median, Min, Max float64 }
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &found))
	require.Equal(t, "speed", found.Rows[0].Name)
	require.Equal(t, 30.0, found.Rows[0].Median)
	require.Equal(t, 20.0, found.Rows[0].Theirs.Median)
	require.Equal(t, 4.0, found.Rows[0].Ratio.Max)
}

// TestNotMeasured: what was too small for its clock is no 0.
func TestNotMeasured(t *testing.T) {
	r := &Report{}
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 3} {
		r.add([]figure{{"never", "us", min(v, 0)}, {"once", "us", v}}, nil)
	}
	var out bytes.Buffer
	require.NoError(t, r.printTable(&out))
	require.Regexp(t, `(?m)^ +- +- +- +us +never$`, out.String())
	require.Regexp(t, `(?m)^ +3\.00 +3\.00 +3\.00 +us +once$`, out.String())
	out.Reset()
	require.NoError(t, r.PrintJSON(&out, nil))
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
