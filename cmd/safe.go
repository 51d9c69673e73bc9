package cmd

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/jobline/jobline/cmd/internal/show"
)

// safe is a writer to a file for text of others. On a terminal nothing in the text
// can move the cursor, set the clipboard or imitate other text. Where the file is
// no terminal the bytes stay as they are.
func safe(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return escapingWriter{f}
	}
	return f
}

// escapingWriter writes text with its control characters made visible.
type escapingWriter struct{ to io.Writer }

func (n escapingWriter) Write(p []byte) (int, error) {
	if _, err := n.to.Write(show.Escape(nil, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
