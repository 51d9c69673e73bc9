package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// Report is what was measured.
type Report struct {
	compared  bool // with another program
	rows      []*row
	latencies []int64 // ns, of all rounds of this program
}

// row is one figure, measured once in every round.
type row struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	summary
	Theirs *summary `json:"theirs,omitempty"` // the other program's figure
	Ratio  *summary `json:"ratio,omitempty"`  // of this program's figure to the other's in the same round
}

// summary is what the rounds of a figure come to. Without values it could not
// be measured, and has no other numbers either.
type summary struct {
	Median float64   `json:"median,omitzero"`
	Min    float64   `json:"min,omitzero"`
	Max    float64   `json:"max,omitzero"`
	Values []float64 `json:"values"`
}

// measurable says that a value is one: what is not above 0, or not finite, was
// too small for what measures it.
func measurable(value float64) bool { return value > 0 && !math.IsInf(value, 1) }

// add takes the value of one round in, where it is one.
func (s *summary) add(value float64) {
	if !measurable(value) {
		return
	}
	s.Values = append(s.Values, value)
	sorted := slices.Sorted(slices.Values(s.Values))
	s.Min, s.Max = sorted[0], sorted[len(sorted)-1]
	s.Median = (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// add takes the figures of one round in. Where programs are compared, theirs
// are the same figures of the other, or none where that cannot do it.
func (r *Report) add(ours, theirs []figure) {
	for i, f := range ours {
		row := r.row(f.name, f.unit)
		row.add(f.value)
		if !r.compared || i >= len(theirs) {
			continue
		}
		row.Theirs.add(theirs[i].value)
		if measurable(f.value) && measurable(theirs[i].value) {
			row.Ratio.add(f.value / theirs[i].value)
		}
	}
}

// row is the row of a name, which is made where there is none.
func (r *Report) row(name, unit string) *row {
	i := slices.IndexFunc(r.rows, func(r *row) bool { return r.Name == name })
	if i >= 0 {
		return r.rows[i]
	}
	made := &row{Name: name, Unit: unit, summary: summary{Values: []float64{}}}
	if r.compared {
		made.Theirs, made.Ratio = &summary{Values: []float64{}}, &summary{Values: []float64{}}
	}
	r.rows = append(r.rows, made)
	return made
}

// Print prints a title, a table, and the histogram of the latencies.
func (r *Report) Print(w io.Writer, title string) error {
	if _, err := fmt.Fprintf(w, "%s, %d CPUs\n\n", title, benchLimit); err != nil {
		return err
	}
	if err := r.printTable(w); err != nil {
		return err
	}
	return printHistogram(w, histogram(r.latencies))
}

// PrintJSON prints one JSON object, with build as its first member.
func (r *Report) PrintJSON(w io.Writer, build any) error {
	text, err := json.MarshalIndent(struct {
		Build     any      `json:"build"`
		CPUs      int      `json:"cpus"`
		Rows      []*row   `json:"rows"`
		Histogram []bucket `json:"latencyHistogram,omitempty"`
	}{build, benchLimit, r.rows, histogram(r.latencies)}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}
