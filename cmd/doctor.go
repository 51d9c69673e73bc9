package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// diagnosis is what doctor says of one thing.
type diagnosis struct {
	Check   string `json:"check"`
	Status  health `json:"status"`
	Message string `json:"message"`
	Cure    string `json:"cure,omitempty"` // what to do, where something is wrong
}

// health says how good something is.
type health string

const (
	healthy health = "ok"
	weak    health = "warn"
	sick    health = "fail"
)

// doctor looks at all that the commands and their server need.
type doctor struct {
	program  *Program
	scope    Scope
	stats    *schema.StatsResult // of the server, where one answers
	deserted bool                // no server listens on the socket
	// schedules are those of the server, where one answers.
	schedules []schema.Schedule
	stored    int64 // how many schedules the store has
	// executors are those of the store of the server, where one answers; nil of an older one.
	executors []schema.ExecutorInfo
	// outbox is that of the server, where one answers that has one.
	outbox *schema.OutboxResult
	found  []diagnosis
}

func (p *Program) doctorCommand() *cobra.Command {
	o := &targetOptions{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with the server, its files and its limits",
		Long: "Doctor looks at the paths, permissions, versions and limits that the commands and their server need. It starts no server.\n" +
			"Each line is ok, warn or fail, and says the cure. It exits with 1 where something fails.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.doctor(c.Context(), o, c.OutOrStdout(), asJSON) },
	}
	o.scopeFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each")
	return c
}

func (p *Program) doctor(ctx context.Context, o *targetOptions, out io.Writer, asJSON bool) error {
	scope, err := p.scope(o)
	if err != nil {
		return err
	}
	d := &doctor{program: p, scope: scope}
	for _, check := range []func(context.Context){d.itself, d.folder, d.server, d.state, d.store, d.waiting, d.runners, d.scheduled, d.timeZone, d.limits, d.containment} {
		check(ctx)
	}
	failed := false
	for _, f := range d.found {
		failed = failed || f.Status == sick
		if err := f.print(out, asJSON); err != nil {
			return err
		}
	}
	if failed {
		return exitCode(stdio.ExitFault)
	}
	return nil
}

func (f *diagnosis) print(out io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return e.Encode(f)
	}
	text := f.Message
	if f.Cure != "" {
		text += "; " + f.Cure
	}
	_, err := fmt.Fprintf(out, "%-4s  %-11s  %s\n", f.Status, f.Check, text)
	return err
}

func (d *doctor) ok(check, message string) {
	d.found = append(d.found, diagnosis{check, healthy, message, ""})
}

func (d *doctor) warn(check, message, cure string) {
	d.found = append(d.found, diagnosis{check, weak, message, cure})
}

func (d *doctor) fail(check string, err error, cure string) {
	d.found = append(d.found, diagnosis{check, sick, err.Error(), cure})
}

// itself looks at the program.
func (d *doctor) itself(context.Context) {
	const check = "program"
	if _, err := programFile(); err != nil {
		d.fail(check, err, "")
		return
	}
	build := d.program.build()
	d.ok(check, fmt.Sprintf("%s %s, protocol %s, %s", build.Program, build.Version, build.Protocol, build.Platform))
}

// folder looks at the folder of the socket.
func (d *doctor) folder(context.Context) {
	const check = "folder"
	dir := filepath.Dir(d.scope.Socket)
	_, err := socket.CheckFolder(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := tryMake(dir); err != nil {
			d.fail(check, fmt.Errorf("the folder %s for sockets cannot be made: %w", dir, err), "make that place writable, or name another by XDG_RUNTIME_DIR, TMPDIR or --socket")
			return
		}
		d.ok(check, dir+" is made when a server starts")
	case err != nil:
		d.fail(check, noSockets(err), "")
	default:
		d.ok(check, dir+" belongs to this user alone")
	}
}

// tryMake says why a folder that is not there cannot be made, or nil.
func tryMake(dir string) error {
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	probe, err := os.MkdirTemp(dir, "probe-")
	if err != nil {
		return err
	}
	return os.Remove(probe)
}

// serverTimeout is how long a server may take to answer doctor.
const serverTimeout = 5 * time.Second

// server looks at who listens.
func (d *doctor) server(ctx context.Context) {
	const check = "server"
	ctx, stop := context.WithTimeoutCause(ctx, serverTimeout, errors.New("it does not answer"))
	defer stop()
	c, server, err := d.program.introduce(ctx, &d.scope, false, schema.ProtocolVersion)
	_, another := errors.AsType[*anotherServedError](err)
	switch {
	case another:
		d.deserted = true
		d.fail(check, err, "")
		return
	case errors.Is(err, socket.ErrNobodyListens):
		d.deserted = true
		d.nobody(check)
		return
	case ctx.Err() != nil:
		d.fail(check, fmt.Errorf("the server on %s does not answer within %v", d.scope.Socket, serverTimeout), "its log is "+d.scope.Log+"; a SIGQUIT makes it print all stacks there, and ends it")
		return
	case err != nil:
		d.fail(check, err, "")
		return
	}
	defer c.Close()
	if d.stats, err = statsOf(ctx, c); err != nil {
		d.fail(check, err, "")
		return
	}
	d.schedules, _ = allSchedules(ctx, c) // a server of an older version has none
	if all, err := c.Executors(ctx); err == nil {
		d.executors = all.Executors
	}
	if d.stats.Store.Outbox != nil {
		if first, err := c.Outbox(ctx, schema.OutboxParams{Limit: 1}); err == nil {
			d.outbox = &first
		}
	}
	d.ok(check, fmt.Sprintf("process %d on %s, version %s, %s, %d queued and %d running tasks", server.ServerInfo.PID, d.scope.Socket,
		server.ServerInfo.Version, counted(d.stats.Connections, "connection"), d.stats.Tasks.Queued, d.stats.Tasks.Running))
	if hint := d.program.olderServer(server.ServerInfo.Version); hint != "" {
		d.warn("version", hint, "")
	}
	if d.stats.ShuttingDown {
		d.warn("ending", d.program.endingText(), "")
	}
	if file := d.stats.Store.File; d.scope.noState == nil && !samePath(file, d.scope.Store) && ofAnotherHome(file, d.scope.Store) {
		d.warn("place", fmt.Sprintf("its store is %s, and of a server that a command starts here it is %s", cmp.Or(file, "in memory"), d.scope.Store),
			"a server is of the socket, whatever HOME is; "+socketVariable+" or XDG_RUNTIME_DIR gives this place a socket of its own")
	}
}

// samePath reports whether two paths are of one file.
func samePath(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

func statsOf(ctx context.Context, c *client.Client) (*schema.StatsResult, error) {
	stats, err := c.Stats(ctx)
	return &stats, err
}

// nobody looks at a socket on which nobody listens.
func (d *doctor) nobody(check string) {
	holder, err := socket.Holder(d.scope.Socket)
	switch {
	case err != nil:
		d.fail(check, noSockets(err), "")
	case holder != "":
		d.warn(check, fmt.Sprintf("%s has the lock of %s and does not listen: it is starting or ending", holder, d.scope.Socket), "if it stays so, end that process")
	default:
		d.ok(check, "none runs on "+d.scope.Socket+"; the first command starts one")
	}
}

// state looks at the folder of the store and the log.
func (d *doctor) state(context.Context) {
	const check = "state"
	if d.scope.noState != nil {
		d.fail(check, d.scope.noState, "")
		return
	}
	existed := exists(d.scope.State)
	if err := d.scope.makeState(); err != nil {
		d.fail(check, err, "")
		return
	}
	if !existed {
		defer os.Remove(d.scope.State) // it was made to look whether it can be
	}
	if err := d.scope.tryWrite(); err != nil {
		d.fail(check, err, "make room, or name another place by XDG_STATE_HOME")
		return
	}
	d.ok(check, d.scope.State+" can be written")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// store looks at the file of the tasks.
func (d *doctor) store(ctx context.Context) {
	const check = "store"
	if d.stats != nil && outOfReach(&d.stats.Store) {
		d.warn(check, d.stats.Store.Fault, submitsWait)
		return
	}
	if d.stats != nil && d.stats.Store.Fault != "" {
		d.fail(check, errors.New("nothing can be recorded: "+d.stats.Store.Fault), "the tasks go on; the server tries again by itself")
		return
	}
	if d.stats != nil && d.stats.Store.Warning != "" {
		d.warn(check, d.stats.Store.Warning, "the server tries again by itself")
		return
	}
	if n := d.scope.namespace; n != nil {
		d.namespace(ctx, check, n)
		return
	}
	file := d.scope.Store
	if d.stats != nil && d.stats.Store.File != "" {
		file = d.stats.Store.File
	}
	switch {
	case d.scope.noState != nil && file == d.scope.Store:
		d.ok(check, "there is none yet")
		return
	case nats.IsAddress(file):
		d.ok(check, file+", which the server reaches")
		return
	case !exists(file):
		d.ok(check, "there is none yet")
		return
	}
	info, err := inspect.Inspect(ctx, file)
	switch {
	case err != nil:
		d.fail(check, err, d.program.Name+" store check "+show.ShellWord(file)+" says more")
	case info.HeldBy != "" && d.deserted:
		d.warn(check, fmt.Sprintf("%s is held by %s, which does not listen on this socket", info.File, info.HeldBy), "end that process, if it is not about to start or to end")
	default:
		d.ok(check, fmt.Sprintf("%s, version %d, %s", info.File, info.Version, counted(info.Bytes, "byte")))
	}
	d.stored = info.Schedules
}

// scheduled looks at the schedules.
func (d *doctor) scheduled(context.Context) {
	const check = "schedules"
	switch {
	case d.deserted && d.stored > 0:
		d.warn(check, fmt.Sprintf("no server runs, so no task is due of the %s of the store", counted(d.stored, "schedule")), d.program.Name+" schedules starts one and shows them; docs/daemon.md says how to start it with the machine")
		return
	case len(d.schedules) == 0:
		return
	}
	first := -1
	for i := range d.schedules {
		s := &d.schedules[i]
		if s.Fault != "" {
			d.warn(check, fmt.Sprintf("%s makes no tasks: %s", s.Name, s.Fault), d.program.Name+" schedule "+show.ShellWord(s.Name)+" changes it")
		}
		if !s.NextAt.IsZero() && (first < 0 || s.NextAt < d.schedules[first].NextAt) {
			first = i
		}
	}
	text := counted(len(d.schedules), "schedule")
	if first >= 0 {
		text += fmt.Sprintf(", the next due is %s at %s", d.schedules[first].Name, show.Moment(d.schedules[first].NextAt))
	}
	d.ok(check, text)
}

// timeZone looks at the time zone in which times are written and shown.
func (d *doctor) timeZone(context.Context) {
	if err := zoneError(); err != nil {
		d.warn("timezone", err.Error(), "times are shown in UTC until then")
	}
}

// limits looks at what the system lets a process have.
func (d *doctor) limits(context.Context) {
	const check = "limits"
	if err := exec.CheckHeadroom(); err != nil {
		d.fail(check, err, "")
		return
	}
	if room := socket.Room(); room < socket.DefaultMaxConnections {
		d.warn(check, fmt.Sprintf("a server has room for %s, and not for %d", counted(room, "connection"), socket.DefaultMaxConnections), "raise the limit on descriptors (ulimit -n)")
		return
	}
	d.ok(check, "there is room for connections and commands")
}

// containment looks at how the processes of commands are kept together.
func (d *doctor) containment(context.Context) {
	const check = "containment"
	if d.program.NoExec {
		return
	}
	how := ""
	if d.stats != nil {
		how = d.stats.Containment
	} else {
		runner, err := exec.New(exec.Options{})
		if err != nil {
			d.fail(check, err, "")
			return
		}
		how = runner.Containment()
		_ = runner.Close() // it has started nothing
	}
	switch how {
	case schema.ContainmentCgroup, schema.ContainmentJob:
		d.ok(check, how+": every process of a command is found and stopped")
	default:
		d.warn(check, how+": a process that hides may outlive its command", "docs/operations.md says how to let the server make control groups")
	}
}
