package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/schema"
)

// This file has what doctor says of an outbox and of the namespace behind it.

// submitsWait says what happens to submits while a namespace behind an outbox cannot be reached.
const submitsWait = "submits wait in the outbox until it can be reached"

// outOfReach reports whether there is an outbox, which can be written, and the namespace behind it cannot be reached.
func outOfReach(s *schema.StoreStats) bool {
	return s.Outbox != nil && s.Fault != "" && !strings.HasPrefix(s.Fault, "the outbox cannot be written")
}

// namespace looks whether a namespace can be reached, where no server has said so.
func (d *doctor) namespace(ctx context.Context, check string, n *namespace) {
	err := nats.Check(ctx, n.address, n.credentials())
	switch {
	case err == nil:
		d.ok(check, n.address.String())
	case n.outbox != "" && errors.Is(err, nats.ErrUnreachable):
		d.warn(check, err.Error(), submitsWait)
	default:
		d.fail(check, err, "")
	}
}

// waiting looks at the submits that wait on this machine.
func (d *doctor) waiting(ctx context.Context) {
	const check = "outbox"
	switch n := d.scope.namespace; {
	case d.outbox != nil:
		of := ""
		if at, err := nats.ParseAddress(d.stats.Store.File); err == nil {
			of = at.Namespace
		}
		oldest := schema.Time(0)
		for i := range d.outbox.Entries {
			oldest = d.outbox.Entries[i].CreatedAt
		}
		if n := d.outbox.Damaged; n > 0 {
			d.warn(check, fmt.Sprintf("%s: %s, which no server sends", d.outbox.File, counted(n, "damaged submit")),
				fmt.Sprintf("%[1]s outbox lists them; submit them again with their ids, or drop them by %[1]s cancel", d.program.Name))
			return
		}
		d.entries(check, d.outbox.File, inspect.OutboxInfo{Namespace: of, Waiting: int64(d.outbox.Waiting), Refused: int64(d.outbox.Refused), Oldest: oldest})
	case n == nil || n.outbox == "" || d.stats != nil:
	case !exists(n.outbox):
		if err := tryMake(filepath.Dir(n.outbox)); err != nil {
			d.fail(check, fmt.Errorf("%s cannot be made: %w", n.outbox, err), "make that place writable, or name another file by --outbox")
			return
		}
		d.ok(check, n.outbox+" is made when a server starts")
	default:
		d.file(ctx, check, n)
	}
}

// file looks at the file of an outbox that no server of this scope has.
func (d *doctor) file(ctx context.Context, check string, n *namespace) {
	info, err := inspect.Outbox(ctx, n.outbox)
	switch {
	case err != nil:
		d.fail(check, err, "")
		return
	case info.HeldBy != "" && d.deserted:
		d.warn(check, fmt.Sprintf("%s has %s, and does not listen on this socket", info.HeldBy, n.outbox), "give commands another file by --outbox, or '' for none, or end that process")
	case info.Namespace != n.address.Namespace && info.Waiting+info.Refused > 0:
		d.fail(check, fmt.Errorf("what is in %s is for the namespace %q, and not for %q", n.outbox, info.Namespace, n.address.Namespace), "name another file by --outbox, or let a server of that one send it first")
	case info.Waiting > 0 && d.deserted:
		d.warn(check, "no server runs, so nothing is sent of what is in "+n.outbox, d.program.Name+" outbox starts one")
	}
	d.entries(check, n.outbox, info)
}

// entries says what is in an outbox.
func (d *doctor) entries(check, file string, info inspect.OutboxInfo) {
	of := ""
	if info.Namespace != "" {
		of = fmt.Sprintf(", of the namespace %s", info.Namespace)
	}
	if info.Waiting+info.Refused == 0 {
		d.ok(check, fmt.Sprintf("%s%s: nothing waits", file, of))
		return
	}
	text := fmt.Sprintf("%s%s: %d wait and %d were refused, the eldest is of %s", file, of, info.Waiting, info.Refused, show.Moment(info.Oldest))
	if info.Refused > 0 {
		d.warn(check, text, fmt.Sprintf("%[1]s outbox says why, %[1]s outbox resend sends them again, and %[1]s cancel drops one", d.program.Name))
		return
	}
	d.ok(check, text)
}
