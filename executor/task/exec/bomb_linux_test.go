package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

const (
	// bombProcesses is RLIMIT_NPROC of the bomb's user.
	bombProcesses = 50
	// bombTime ends a bomb whatever becomes of the test.
	bombTime = 2 * time.Minute
	// bombAsks is how often it is asked for, and bombEvery how far apart.
	bombAsks  = 51
	bombEvery = 5 * time.Millisecond
)

// bombScript forks for ever, but only where the limit has been seen to hold:
// first it starts at most one process more than the limit, which do nothing,
// and goes on where one of them was refused. The first process that is refused
// afterwards says so.
const bombScript = `use strict;
my ($user, $limit) = @ARGV;
$| = 1;
$SIG{TERM} = 'IGNORE';
die "the user is $>\n" if $> != $user || $< != $user;
open(my $limits, '<', '/proc/self/limits') or die "limits: $!\n";
grep { /^Max processes\s+$limit\s+$limit\s/ } <$limits> or die "no limit\n";
my (@idle, $refused);
for (0 .. $limit) {
	my $pid = fork;
	if (!defined $pid) { $refused = 1; last }
	if (!$pid) { sleep 60 while 1 }
	push @idle, $pid;
}
kill 'KILL', @idle;
waitpid $_, 0 for @idle;
die "the limit does not hold\n" if !$refused;
print "armed\n";
my $told = 0;
while (1) {
	my $pid = fork;
	next if defined $pid or $told++;
	print "refused\n";
}`

// bombUser is a user that no process belongs to. It is another one each time:
// who has ended counts against the limit until it is reaped.
func bombUser() int {
	for {
		user := 50_000 + rand.IntN(10_000)
		if len(processesOf(user)) == 0 {
			return user
		}
	}
}

// bomb is a fork bomb under RLIMIT_NPROC of another user.
func bomb(t *testing.T) (in Input, user int) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	for _, tool := range []string{"setpriv", "prlimit", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("a tool is missing: ", err)
		}
	}
	user = bombUser()
	id, limit := strconv.Itoa(user), strconv.Itoa(bombProcesses)
	return Input{Dir: "/", Argv: []string{
		"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups",
		"prlimit", "--nproc=" + limit, "perl", "-e", bombScript, id, limit,
	}}, user
}

// processesOf are the living processes of a user.
func processesOf(user int) []int {
	var pids []int
	for _, entry := range must(os.ReadDir("/proc")) {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, rest, ok := strings.Cut(string(text), "\nUid:")
		if err != nil || !ok || strings.Fields(rest)[0] != strconv.Itoa(user) {
			continue // also where it has ended meanwhile
		}
		if _, alive := groupOf(pid); alive {
			pids = append(pids, pid)
		}
	}
	return pids
}

// defuse kills the groups of a user's processes: a group dies as a whole, also
// what is being forked in it.
func defuse(user int) {
	for _, pid := range processesOf(user) {
		if group, err := unix.Getpgid(pid); err == nil && group > 1 {
			_ = unix.Kill(-group, unix.SIGKILL)
		}
	}
}

// awaitBomb waits until the bomb has gone off and met its limit.
func (r *rig) awaitBomb(w executor.Watcher, id uuid.UUID) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for {
		events, err := w.Next(ctx)
		require.NoError(r.t, err, "the bomb does not go off")
		for _, e := range events {
			if e.ID == id && e.Kind == executor.EventFinished {
				if strings.Contains(e.Task.Error.StderrTail, "the limit does not hold") {
					r.t.Skip("RLIMIT_NPROC does not hold here")
				}
				require.FailNow(r.t, "the bomb does not go off", "%+v", e.Task.Error)
			}
		}
		piece, err := r.Output(ctx, id, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 1 << 10})
		require.NoError(r.t, err)
		if strings.HasPrefix(string(piece.Data), "armed\nrefused\n") {
			return
		}
	}
}

// requireFull waits until the bomb has as many processes as it can have.
func requireFull(t *testing.T, user int) {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if n := len(processesOf(user)); n == bombProcesses {
			return
		}
	}
	require.Len(t, processesOf(user), bombProcesses)
}

// requireAnswers says that status is answered while the bomb goes on, and logs
// how soon, from when it was due to be asked for: that the bomb has the
// processors then counts, too.
func (r *rig) requireAnswers(id uuid.UUID) {
	took := make([]time.Duration, bombAsks)
	due := time.Now()
	for i := range took {
		due = due.Add(bombEvery)
		<-time.After(time.Until(due))
		task, err := r.Status(r.t.Context(), id)
		took[i] = time.Since(due)
		require.NoError(r.t, err)
		require.Equal(r.t, schema.Running, task.State)
	}
	slices.Sort(took)
	r.t.Logf("status beside the bomb: median %v, longest %v", took[bombAsks/2], took[bombAsks-1])
}

// requireOthersRun says that a command of the server's own user runs.
func (r *rig) requireOthersRun(w executor.Watcher) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	other := r.submit(Input{Argv: []string{"true"}}, 0, -1)
	for {
		events, err := w.Next(ctx)
		require.NoError(r.t, err, "no other command runs")
		for _, e := range events {
			if e.ID == other && e.Kind == executor.EventFinished {
				require.Equal(r.t, schema.Completed, e.Task.State)
				return
			}
		}
	}
}

// TestForkBomb: the limit hits the task and not the server, which answers and
// runs commands all the while, and a cancel leaves nothing of it.
func TestForkBomb(t *testing.T) {
	cancel := func(r *rig, id uuid.UUID) {
		_, _, err := r.Cancel(context.Background(), id, executor.Cancellation{})
		require.NoError(r.t, err)
	}
	tests := map[string]struct {
		graceMs int64
		stop    func(r *rig, id uuid.UUID)
	}{
		"no grace": {0, cancel},
		"force":    {60_000, func(r *rig, id uuid.UUID) { cancel(r, id); force(r, id) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in, user := bomb(t)
			r := newRig(t, 2)
			t.Cleanup(func() { defuse(user) }) // before the rig waits for its tasks
			w, err := r.Watch(t.Context())
			require.NoError(t, err)
			w.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents})
			defer w.Close()
			id := r.submit(in, bombTime.Milliseconds(), test.graceMs)
			r.awaitBomb(w, id)
			requireFull(t, user)
			r.requireAnswers(id)
			r.requireOthersRun(w)
			require.Len(t, processesOf(user), bombProcesses)
			began := time.Now()
			test.stop(r, id)
			for len(processesOf(user)) > 0 && time.Since(began) < patience {
			}
			gone := time.Since(began)
			require.Empty(t, processesOf(user))
			task := r.end(id)
			require.Equal(t, schema.Cancelled, task.State)
			require.True(t, task.Error.Forced)
			if gone < killWait && time.Since(began) < time.Second { // otherwise it may have been given up
				require.Equal(t, "SIGKILL", task.Error.Signal)
				require.False(t, task.Error.Leaked)
			}
		})
	}
}
