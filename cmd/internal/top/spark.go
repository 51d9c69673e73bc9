package top

import (
	"math"
	"strings"
)

// sparkCells are the heights of a curve.
var sparkCells = [...]string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// sparkline draws the newest values, one in a cell, the largest of them at full height.
func sparkline(values []float64, cells int) string {
	values = values[max(0, len(values)-cells):]
	largest := 0.0
	for _, v := range values {
		largest = max(largest, v)
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", cells-len(values)))
	for _, v := range values {
		height := 0
		if largest > 0 {
			height = int(math.Round(v / largest * float64(len(sparkCells)-1)))
		}
		b.WriteString(sparkCells[height])
	}
	return b.String()
}

// barCells are the eighths of a cell.
var barCells = [...]string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar draws a share in so many cells: what is done, and what is left.
func bar(share float64, cells int) (full, rest string) {
	eighths := int(share * float64(cells*len(barCells)))
	full = strings.Repeat("█", eighths/len(barCells)) + barCells[eighths%len(barCells)]
	return full, strings.Repeat("░", cells-(eighths+len(barCells)-1)/len(barCells))
}
