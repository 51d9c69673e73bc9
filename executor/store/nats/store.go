package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// DefaultLease is how long a process may be silent before the others give it up.
const DefaultLease = 15 * time.Second

const (
	// openTimeout is how long Open waits for the servers, while nothing comes of them.
	openTimeout = 20 * time.Second
	// maxOpenTries is how often Open begins anew because the log was made shorter meanwhile.
	maxOpenTries = 3
	// readingTold is how often the log tells how far the entries of a start are read.
	readingTold = 5 * time.Second
	// leaveTimeout is how long Close waits until all that was begun is recorded.
	leaveTimeout = 3 * time.Second
	// beatsPerLease is how often a process writes within a lease, at least.
	beatsPerLease = 5
	// maxBeats is how many beats are under way at most. Where the log is slow, one would make the lease seem older than it is.
	maxBeats = 3
)

// Options say where a Store is, and what its limits are.
type Options struct {
	Address     Address
	Credentials Credentials
	// Name names this process among those that share the store; "" is that of the host and the
	// number of the process. Open answers ErrNameTaken where another one with Slots has it and lives.
	Name string
	// Limits are of the namespace: all processes have the same. A zero leaves one as it is, or as
	// memory has it where no process has set it. MaxOutput cannot change.
	Limits memory.Options
	// Role says what this process may write; "" is RoleExecutor. The limits are for that one to set.
	Role Role
	// Slots is how many tasks this process runs at once, to be shown.
	Slots int
	// Lease is how long this process may be silent before the others give it up; 0 is DefaultLease.
	Lease time.Duration
	// Logger is nil for none.
	Logger *slog.Logger
}

// Store implements executor.Store. Make one with Open.
type Store struct {
	options   Options
	log       *slog.Logger
	journal   journal
	conn      *natsgo.Conn // nil in tests without servers
	denied    *denials
	dismissed chan struct{} // closed when this process is told to end

	pieceBytes    int
	machine       *machine             // its own goroutine changes it; what it has of tasks may be read by all
	applied       atomic.Uint64        // the sequence of the latest entry that the follower has applied
	applying      sync.Mutex           // held while an entry is applied, and by those who need the machine between two
	appliedAt     schema.Time          // when the latest entry was written; applying protects it
	silent        map[uuid.UUID]uint64 // processes that this one has given up, with the numbers of their latest messages; the goroutine that applies has it
	backlog       uint64               // the sequence of the latest entry when this process came
	snapshotStore snapshotStore
	// snapshotBytes is how many bytes the log has at least behind the latest snapshot before another one is made.
	snapshotBytes  int64
	grown          chan struct{} // gets a value when the log has grown by a part of snapshotBytes
	growth         int64         // bytes applied since then; the goroutine that applies has it
	hold           hold          // the goroutine that keeps snapshots has it
	bound          atomic.Int64  // of the bytes of the log, as it was when last asked for; 0 or less is none
	keeping        keeping
	recentDigests  recentDigests
	reportMismatch func(text string) // of a check: is told each process that knew something else, also before the start
	rules          int               // rulesVersion, but in tests
	foreignWarned  bool              // an entry of no process was told; the goroutine that applies has it
	backlogRead    chan struct{}     // closed when that is applied
	send           chan struct{}
	resend         chan struct{}
	stopped        chan struct{} // closed by stop
	failed         chan error    // gets the value of broken
	opened         chan struct{} // closed when the copy is as new as the log was at the start
	running        sync.WaitGroup
	end            context.CancelFunc
	clockAhead     atomic.Int64 // nanoseconds: the clock of this machine before that of the servers

	mu            sync.Mutex // protects what follows
	begun         bool       // the first message of this process is queued, or sent; before that, machine may be replaced
	dueEarly      bool       // something was due before that
	self          uuid.UUID  // what this process is called in the log
	number        uint64     // of the latest piece that was made
	queue         []*pending
	queuedBytes   int
	dequeued      chan struct{} // closed when changes leave the queue
	flights       []*flight     // the oldest first
	pace          pace
	lastAsync     *pending // the latest change for which nobody waits
	claimers      map[int]*claimer
	waiting       []*claimRequest // claims that got nothing
	asking        int             // claims under way that have waited
	draining      bool            // the others have told this process to begin no task
	ending        bool            // and to end
	turnTimer     *time.Timer     // lets them look again; nil where it is not set
	tickTimer     *time.Timer     // says that time has passed, where nobody has; nil where it is not set
	tickAfter     uint64          // how many beats there had been when it was set
	lastClaimer   int
	leases        map[*lease]bool // that were given out, and neither released nor lost
	beating       int             // beats that are under way
	seen          entryDigest     // what was known behind the latest entry of this process that had a Beat
	lastContact   moment          // when a message of this process was applied
	leaseFrom     moment          // when the latest of those was sent first
	steadySince   time.Time       // since when such messages have come without a pause
	leasesDropped bool            // the leases were given up, because nothing came through
	silenceLogged bool            // that was logged
	refusedSince  time.Time       // since when the others are known not to admit this process, or zero
	helloFences   []fence         // which of them the next hello of this process takes out
	warning       string          // what is wrong with the snapshots
	fault         error           // why nothing can be written, as the servers say
	unread        error           // why the log is not read at the moment
	broken        error           // why the log can be applied no further
	closing       bool
}

// Open joins the processes that share a namespace. It waits until it knows all its tasks.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.Lease = cmp.Or(o.Lease, DefaultLease)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for tries := 1; ; tries++ {
		s := newStore(o)
		err := s.connect(ctx)
		if err == nil {
			err = s.begin(ctx)
		} else {
			_ = s.machine.tasks.Close() // its timers
		}
		switch {
		case err == nil:
			return s, nil
		case !errors.Is(err, errLogGap) || tries == maxOpenTries:
			return nil, err
		}
		o.Logger.Info("the log was made shorter while it was read; it is read again from a newer snapshot")
	}
}

func newStore(o Options) *Store {
	o.Role = cmp.Or(o.Role, RoleExecutor)
	s := &Store{
		options: o, log: o.Logger, denied: newDenials(), dismissed: make(chan struct{}), self: uuid.New(), send: make(chan struct{}, 1), resend: make(chan struct{}, 1),
		failed: make(chan error, 1), grown: make(chan struct{}, 1), rules: rulesVersion,
		stopped: make(chan struct{}), backlogRead: make(chan struct{}), opened: make(chan struct{}), dequeued: make(chan struct{}), claimers: map[int]*claimer{}, leases: map[*lease]bool{}, silent: map[uuid.UUID]uint64{},
	}
	s.machine = newMachine(s.tick)
	return s
}

// begin joins the processes of the store's journal.
func (s *Store) begin(ctx context.Context) error {
	s.mu.Lock()
	if s.options.Role != RoleViewer {
		s.enqueue(&pending{change: s.hello(), done: func(a answer) { s.markOpened(a) }}) // before anything else
	}
	s.begun = true
	early := s.dueEarly
	s.mu.Unlock()
	if early {
		s.tick()
	}
	err := s.run(ctx)
	if err != nil {
		s.stop()
	}
	return err
}

// run begins the goroutines of the store, which stop ends. Nothing is written before all is read
// that was there: until then this process would be silent, and the others would give it up.
func (s *Store) run(opening context.Context) error {
	ctx, err := s.catchUp(opening)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.lastContact, s.leaseFrom, s.steadySince = readClocks(), readClocks(), time.Now()
	s.mu.Unlock()
	if s.options.Role == RoleViewer {
		if err := s.checkViewerRules(); err != nil {
			return err
		}
		s.machine.tasks.Opened()
		return s.setLimits(opening)
	}
	s.running.Go(func() { s.sendAll(ctx) })
	s.running.Go(func() { s.beat(ctx) })
	if s.options.Role == RoleExecutor {
		s.running.Go(func() { s.maintainLog(ctx) })
	}
	if err := s.waitUntilJoined(opening); err != nil {
		return err
	}
	if err := s.checkName(opening); err != nil {
		return err
	}
	return s.setLimits(opening)
}

// catchUp begins to apply the log, and waits until all is applied that was there at the start. The
// context that it answers ends with the store.
func (s *Store) catchUp(opening context.Context) (context.Context, error) {
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.running.Go(func() {
		if err := s.follow(ctx); err != nil {
			s.fail(err)
		}
	})
	return ctx, s.readBacklog(opening)
}

// readBacklog waits until the entries are applied that were there at the start. That takes as long
// as it takes while they come.
func (s *Store) readBacklog(ctx context.Context) error {
	progress := time.NewTicker(readingTold)
	defer progress.Stop()
	for before, since := uint64(0), time.Now(); ; {
		select {
		case <-s.backlogRead:
			return nil
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.denied.firstRefusal:
			return s.denied.err()
		case <-progress.C:
		}
		now := s.applied.Load()
		if now != before {
			before, since = now, time.Now()
		}
		if time.Since(since) > openTimeout {
			return unreachable(fmt.Errorf("the log of the namespace %s has %d entries, and no more than %d came: has its stream a leader? More than half of its servers must be up", s.options.Address.Namespace, s.backlog, now))
		}
		s.log.Info("the log of the store is read", "entries", now, "of", s.backlog)
	}
}

// setLimits sets the limits that are wanted and differ.
func (s *Store) setLimits(ctx context.Context) error {
	wanted := s.options.Limits
	now := s.machine.tasks.Options()
	if wanted.MaxOutput != 0 && wanted.MaxOutput != now.MaxOutput && s.machine.isLimited() {
		return fmt.Errorf("the namespace %s keeps %d bytes of each stream of a task, which cannot change; leave --max-output out, or take another namespace", s.options.Address.Namespace, now.MaxOutput)
	}
	if (s.options.Role != RoleExecutor || s.machine.isLimited()) && !limitsDiffer(now, wanted) {
		return nil
	}
	_, err := s.do(ctx, change{Limits: limitsOf(wanted)})
	return err
}

// markOpened notes that the copy is as new as the log was at the start.
func (s *Store) markOpened(a answer) {
	if a.err == nil {
		s.machine.tasks.Opened()
		close(s.opened)
	}
}

// limitsDiffer reports whether an option that is not zero differs.
func limitsDiffer(now, wanted memory.Options) bool {
	differs := func(now, wanted int64) bool { return wanted != 0 && wanted != now }
	if differs(int64(now.Keep), int64(wanted.Keep)) || differs(int64(now.KeepFor), int64(wanted.KeepFor)) || differs(now.KeepBytes, wanted.KeepBytes) ||
		differs(int64(now.KeepIDs), int64(wanted.KeepIDs)) || differs(int64(now.MaxQueued), int64(wanted.MaxQueued)) {
		return true
	}
	for name, total := range wanted.Resources {
		if now.Resources[name] != total {
			return true
		}
	}
	return wanted.Resources != nil && len(wanted.Resources) != len(now.Resources)
}

func (s *Store) hello() change {
	host, _ := os.Hostname() // without a name it is shown as none
	return change{Hello: &hello{
		Name: cmp.Or(s.options.Name, executor.ProcessName()), Host: host, PID: os.Getpid(), Slots: s.options.Slots, Lease: int64(s.options.Lease),
		Rules: s.rules, Over: s.helloFences, Draining: s.draining, Ending: s.ending,
	}}
}

// noAnswer says why the first message of this process did not come back.
func (s *Store) noAnswer() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if s.fault != nil {
		return unreachable(fmt.Errorf("nothing can be written to the namespace %s: %w", s.options.Address.Namespace, s.fault))
	}
	return unreachable(fmt.Errorf("nothing was written to the namespace %s within %v: has its stream a leader? More than half of its servers must be up", s.options.Address.Namespace, openTimeout))
}

// Info implements executor.Store.
func (s *Store) Info() executor.StoreInfo {
	o := s.machine.tasks.Info()
	o.Name, o.Durable, o.Shared, o.File = "nats", true, true, s.options.Address.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Warning = s.warning
	switch {
	case s.broken != nil:
		o.Fault = s.broken.Error()
	case s.unread != nil:
		o.Fault = "the log cannot be read: " + s.unread.Error()
	case len(s.flights) > 0 && s.lastContact.elapsed() > resendAfter:
		o.Fault = fmt.Sprintf("nothing was recorded for %v", s.lastContact.elapsed().Round(time.Second))
		if s.fault != nil {
			o.Fault += ": " + s.fault.Error()
		}
	}
	return o
}

// setWarning notes what is wrong with the snapshots.
func (s *Store) setWarning(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warning = text
}

// setFault notes why the servers do not take a message.
func (s *Store) setFault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}
