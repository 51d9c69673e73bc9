package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// viewerTail is how much of the end of each stream a viewer gets first, in bytes, unless it says otherwise.
	viewerTail = 1 << 20
	// mostViewerTail bounds --tail-bytes.
	mostViewerTail = 1 << 30
	// viewerPause is how long a viewer waits for the next server.
	viewerPause = 500 * time.Millisecond
)

// viewerOptions are the flags of logs for a program that shows the output, such as an editor.
type viewerOptions struct {
	on   bool
	tail int
	to   viewerText
}

// viewerText takes what a viewer shows.
type viewerText interface {
	io.Writer
	// missing is told how many bytes of a stream are not shown, in their place.
	missing(bytes int64) error
}

// stdoutText writes what a viewer shows to stdout.
type stdoutText struct{ *os.File }

func (s stdoutText) missing(bytes int64) error {
	_, err := fmt.Fprintf(s, "[%d bytes before this are not shown]\n", bytes)
	return err
}

func (v *viewerOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&v.on, "viewer", false, "for a program that shows one task, such as an editor (above)")
	f.Var(countTo(&v.tail, viewerTail, 0, mostViewerTail), "tail-bytes", "with --viewer, only so much of what each stream has, the end")
}

// check refuses what does not go with a viewer.
func (v *viewerOptions) check(c *cobra.Command, o *logsOptions, names []string) error {
	switch {
	case !v.on && c.Flags().Changed("tail-bytes"):
		return usagef("logs: --tail-bytes is for --viewer; --tail takes lines")
	case v.on && (o.json || o.input || o.tail >= 0 || o.target.local):
		return usagef("logs: --viewer goes with --follow, --stream and --tail-bytes only")
	case v.on && len(names) > 1:
		return usagef("logs: --viewer shows one task, and these are %d; name one", len(names))
	}
	return nil
}

// view shows a task on stdout until the task or the viewer has ended.
func (o *logsOptions) view(c *cobra.Command, names []string) error {
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	if o.follow {
		go func() { // stdin may never end, so this is not waited for: it ends with the process
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	c.SetContext(ctx)
	o.viewer.to = stdoutText{os.Stdout}
	return o.viewTask(ctx, func(_ context.Context, f func(context.Context, *client.Client) error) error {
		return o.with(c, f)
	}, names)
}

// viewTask shows a task for a viewer until the task or ctx has ended. With gives it a client of the
// server. Where the server ends first, it goes on with the next one, which it does not start.
func (o *logsOptions) viewTask(ctx context.Context, with func(context.Context, func(context.Context, *client.Client) error) error, names []string) error {
	var l *logs
	for {
		answered, ended := false, false
		err := with(ctx, func(ctx context.Context, c *client.Client) (err error) {
			answered = true
			if l == nil {
				l, err = o.begin(ctx, c, names)
			}
			if err == nil {
				l.client = c
				err = l.run(ctx)
			}
			ended = errors.Is(err, errServerEnded) || client.IsEnded(err)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return nil // the viewer has ended
		case err == nil || l == nil || answered && !ended || !o.follow:
			return err
		}
		o.target.noStart = true
		if !sleep(ctx, viewerPause) {
			return nil
		}
	}
}

// viewerPrinter prints the output of one task for a viewer.
type viewerPrinter struct {
	to    viewerText
	texts [len(schema.StreamNames)]show.TerminalText
	cut   [len(schema.StreamNames)]bool // what comes is the rest of a line whose beginning is not shown
}

// print prints a piece of a stream.
func (v *viewerPrinter) print(stream schema.Stream, data []byte) error {
	if v.cut[stream] {
		data = data[bytes.IndexByte(data, '\n')+1:]
		v.cut[stream] = false
	}
	return v.write(v.texts[stream].Append(nil, data))
}

func (v *viewerPrinter) write(text []byte) error {
	_, err := v.to.Write(text)
	return err
}

// missing says that so many bytes of a stream are not shown.
func (v *viewerPrinter) missing(stream schema.Stream, bytes int64) {
	_ = v.to.missing(bytes) // the next write fails, too
	v.cut[stream] = true
}

// end prints what is left of characters that never ended.
func (v *viewerPrinter) end() error {
	var left []byte
	for i := range v.texts {
		left = v.texts[i].Flush(left)
	}
	return v.write(left)
}

// skipFar goes on near the end of a stream, where a viewer would get more than the tail that it
// wants, and answers how many bytes it leaves out.
func (l *logs) skipFar(t *loggedTask, stream schema.Stream, end int64) int64 {
	if l.print.viewer == nil {
		return 0
	}
	far := max(0, end-int64(l.options.viewer.tail)-t.next[stream])
	t.next[stream] += far
	return far
}

// skip is skipFar, and tells of what it leaves out.
func (l *logs) skip(t *loggedTask, stream schema.Stream, end int64) {
	if far := l.skipFar(t, stream, end); far > 0 {
		l.print.lost(t.id, stream, far)
	}
}

// catchUp shows what a viewer lacks because events were dropped.
func (l *logs) catchUp(ctx context.Context, id uuid.UUID) error {
	t := l.tasks[id]
	err := l.past(ctx, t)
	if err == nil && t.final {
		delete(l.tasks, id)
	}
	return err
}
