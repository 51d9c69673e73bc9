package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// printTable prints the rows as a table.
func (r *Report) printTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if r.compared {
		fmt.Fprintln(table, "ours\ttheirs\tours/theirs\tlowest\thighest\tunit\t  what")
	} else {
		fmt.Fprintln(table, "median\tmin\tmax\tunit\t  what")
	}
	for _, row := range r.rows {
		shown, summary := []string{row.shown(row.Median)}, &row.summary
		if r.compared {
			summary = row.Ratio
			shown = append(shown, row.Theirs.shown(row.Theirs.Median), summary.shown(summary.Median))
		}
		shown = append(shown, summary.shown(summary.Min), summary.shown(summary.Max), row.Unit, "  "+row.Name)
		fmt.Fprintln(table, strings.Join(shown, "\t"))
	}
	return table.Flush()
}

// shown writes a number of the summary.
func (s *summary) shown(v float64) string {
	if len(s.Values) == 0 {
		return "-"
	}
	return digits(v)
}

// digits writes a number with about three significant digits.
func digits(v float64) string {
	switch {
	case math.Abs(v) >= 10_000:
		return grouped(int64(math.Round(v)))
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// percentile is the value that the share p of the samples does not exceed. It
// sorts the samples.
func percentile(samples []int64, p float64) time.Duration {
	slices.Sort(samples)
	i := int(math.Ceil(p*float64(len(samples)))) - 1
	return time.Duration(samples[max(i, 0)])
}

// bucket counts the samples of at most UpToUs microseconds that are above
// those of the bucket before.
type bucket struct {
	UpToUs float64 `json:"upToUs"`
	Count  int     `json:"count"`
}

// bucketsPerDouble is how fine the histogram is.
const bucketsPerDouble = 2

// histogram sorts samples of nanoseconds into buckets whose bounds grow by
// the same factor, and leaves out the empty ones at both ends.
func histogram(samples []int64) []bucket {
	var buckets []bucket
	slices.Sort(samples)
	for i, upTo := 0, 1.0; i < len(samples); upTo *= math.Pow(2, 1.0/bucketsPerDouble) {
		n := 0
		for ; i < len(samples) && float64(samples[i]) <= upTo*1000; i++ {
			n++
		}
		if n > 0 || len(buckets) > 0 {
			buckets = append(buckets, bucket{upTo, n})
		}
	}
	return buckets
}

// histogramColumns is the length of the longest bar.
const histogramColumns = 50

func printHistogram(w io.Writer, buckets []bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	most, all := 0, 0
	for _, b := range buckets {
		most, all = max(most, b.Count), all+b.Count
	}
	fmt.Fprintf(w, "\none noop task at a time, submit to task/finished, %s samples\n", grouped(int64(all)))
	seen := 0
	for _, b := range buckets {
		seen += b.Count
		bar := strings.Repeat("#", (b.Count*histogramColumns+most-1)/most)
		if _, err := fmt.Fprintf(w, "%9s us %7.3f%% %s\n", "<= "+digits(b.UpToUs), 100*float64(seen)/float64(all), bar); err != nil {
			return err
		}
	}
	return nil
}
