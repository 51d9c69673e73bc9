package cmd

import "github.com/jobline/jobline/cmd/internal/show"

// namedFields are lines of a name and a text each, for a terminal of that many columns; 0 is as many
// as it takes.
type namedFields struct {
	out     terminal
	columns int
	lines   []string
}

// add adds a text with its name, unless it is empty. A terminal gets a long one in several lines, but
// of a result only the beginning.
func (f *namedFields) add(name, text string, s style) {
	if text = show.Line(text); text == "" {
		return
	}
	shown := []string{text}
	switch {
	case f.columns > 0 && name == "result":
		shown[0] = show.Cut(text, f.columns-statusNameWidth)
	case f.columns > 0:
		shown = show.Wrap(text, max(f.columns-statusNameWidth, leastWrapped))
	}
	for _, text := range shown {
		f.lines = append(f.lines, f.out.paint(dim, show.Pad(name, statusNameWidth))+f.out.paint(s, text))
		name = ""
	}
}
