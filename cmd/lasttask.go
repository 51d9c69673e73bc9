package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// lastKept is how long a terminal's last task is remembered.
	lastKept = 7 * 24 * time.Hour
	// mostLast bounds the terminals whose last task is remembered.
	mostLast = 1000
)

// lastFile is the file that remembers the last task of this terminal on the server that
// the flags name. It is "" where there is none: a server of this command's own (--local)
// leaves no tasks behind, and not each system tells the sessions of terminals apart.
func (p *Program) lastFile(target *targetOptions) string {
	session := sessionName()
	if target.local || session == "" {
		return ""
	}
	s, err := p.scope(target)
	if err != nil {
		return ""
	}
	return filepath.Join(runtimeFolder(p.Name), "last", digestOf(s.Socket)+"-"+session)
}

// rememberLast notes that a command of this terminal has submitted a task. A note that
// cannot be written is no error of the command, whose task is submitted.
func (p *Program) rememberLast(target *targetOptions, id uuid.UUID) {
	path := p.lastFile(target)
	if path == "" {
		return
	}
	folder := filepath.Dir(path)
	if os.MkdirAll(folder, 0o700) != nil || !isPrivate(folder) {
		return
	}
	if _, err := os.Lstat(path); err != nil { // a new terminal
		forgetOldLast(folder, time.Now())
	}
	_ = replaceFile(path, []byte(id.String()))
}

// forgetOldLast removes the notes that are old, and where there are too many, all: a
// terminal without one gets the newest task that a command line has submitted.
func forgetOldLast(folder string, now time.Time) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && (len(entries) >= mostLast || now.Sub(info.ModTime()) > lastKept) {
			_ = os.Remove(filepath.Join(folder, e.Name())) // another command may have removed it
		}
	}
}

// lastOfTerminal is the task that a command of this terminal has submitted last, if it is
// known and still kept.
func (d *driver) lastOfTerminal(ctx context.Context, c *client.Client) (*schema.Task, error) {
	path := d.program.lastFile(&d.target)
	if path == "" || !isPrivate(filepath.Dir(path)) {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil // this terminal has submitted none
	}
	id, err := uuid.ParseBytes(text)
	if err != nil {
		return nil, nil
	}
	t, err := c.Status(ctx, schema.StatusParams{ID: id})
	if isNotFound(err) {
		return nil, nil
	}
	return &t, err
}

// tellLast says on stderr which task @last is, to a command that changes it.
func (d *driver) tellLast(ctx context.Context, c *client.Client, id uuid.UUID) error {
	t, err := c.Status(ctx, schema.StatusParams{ID: id, IncludeInput: true})
	if err == nil {
		fmt.Fprintf(safe(os.Stderr), "%s: %s is %s: %s\n", d.program.Name, lastTask, show.ShortID(id), show.Line(t.Type+" "+show.Work(&t)))
	}
	if isNotFound(err) {
		return nil
	}
	return err
}
