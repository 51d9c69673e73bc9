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

// DefaultLease is the default of Options.Lease.
const DefaultLease = 15 * time.Second

const (
	// openTimeout is how long Open waits while nothing comes from the servers.
	openTimeout = 20 * time.Second
	// maxOpenTries is how often Open begins again because the log was shortened while it was read.
	maxOpenTries = 3
	// readingTold is how often the progress of a start is logged.
	readingTold = 5 * time.Second
	// leaveTimeout is how long Close waits until all that was written is recorded.
	leaveTimeout = 3 * time.Second
	// beatsPerLease is how often a process writes within a lease, at least.
	beatsPerLease = 5
	// maxBeats bounds the beats in flight. If the log is slow, more of them would only add to the delay.
	maxBeats = 3
)

// Options say where a Store is, and what this process is there.
type Options struct {
	Address     Address
	Credentials Credentials
	// Name is the name of this process among those that share the store; "" means the name of the host and the
	// number of the process. Open answers ErrNameTaken if another live process with Slots has the same name.
	Name string
	// Limits are those of the namespace: all processes have the same. A zero leaves a limit as it is, or at the
	// default of package memory if no process has set it. MaxOutput cannot be changed later. Only an executor
	// sets limits.
	Limits memory.Options
	// Role says what this process may write; "" means RoleExecutor.
	Role Role
	// Slots is how many tasks this process runs at once, to be shown to users. 0 means that it runs none.
	Slots int
	// Lease is how long this process may be silent before the others fence it; 0 means DefaultLease.
	Lease time.Duration
	// Logger gets what an operator should know; nil logs nothing.
	Logger *slog.Logger
}

// Store implements executor.Store. Make one with Open. It is safe for concurrent use.
type Store struct {
	options   Options
	log       *slog.Logger
	journal   journal
	conn      *natsgo.Conn // nil in tests without servers
	denied    *denials
	dismissed chan struct{} // closed when this process is told to end

	pieceBytes    int
	machine       *machine             // changed by the goroutine that applies the log; tasks is safe for concurrent reads
	applied       atomic.Uint64        // the sequence of the latest entry that the follower has applied
	applying      sync.Mutex           // held while an entry is applied, and by code that needs the machine between two entries
	appliedAt     schema.Time          // when the latest entry was written; applying protects it
	silent        map[uuid.UUID]uint64 // processes that this one has fenced, with the numbers of their latest messages; of the goroutine that applies
	backlog       uint64               // the sequence of the latest entry when this process started
	snapshotStore snapshotStore
	// snapshotBytes is how many bytes the log has at least behind the latest snapshot before another one is made.
	snapshotBytes int64
	grown         chan struct{} // gets a value when the log has grown by a part of snapshotBytes
	growth        int64         // bytes applied since the latest value; of the goroutine that applies
	hold          hold          // of the goroutine of maintainLog
	bound         atomic.Int64  // of the bytes of the log, when last asked; 0 or less means none
	keeping       keeping
	recentDigests recentDigests
	tie           *tie          // nil where this process is in none; the goroutine that applies the log uses it
	observer      *observer     // set where the log is read to compare copies, also at entries before the start
	rules         int           // rulesVersion, but in tests
	foreignWarned bool          // warnForeignEntry has logged; of the goroutine that applies
	backlogRead   chan struct{} // closed when backlog is applied
	send          chan struct{}
	resend        chan struct{}
	stopped       chan struct{} // closed by stop
	failed        chan error    // gets broken, once
	opened        chan struct{} // closed when the hello of this process was applied
	running       sync.WaitGroup
	end           context.CancelFunc
	lifetime      context.Context // what end ends
	clockAhead    atomic.Int64    // nanoseconds by which this machine's clock is ahead of the servers' clock

	mu            sync.Mutex // protects what follows
	begun         bool       // the hello is queued or sent; before that, load may replace machine
	dueEarly      bool       // tick was called before begun
	self          uuid.UUID  // the id of this process in the log
	number        uint64     // of the latest piece that was made
	queue         []*pending
	queuedBytes   int
	dequeued      chan struct{} // closed and made anew when changes leave the queue
	flights       []*flight     // the oldest first
	pace          pace
	lastAsync     *pending // the latest change of putAsync
	claimers      map[int]*claimer
	waiting       []*claimRequest // claims that got nothing
	asking        int             // claims in flight that have waited
	draining      bool            // this process was told to begin no task
	ending        bool            // this process was told to end
	turnTimer     *time.Timer     // calls retryClaimsLater; nil if not set
	tickTimer     *time.Timer     // calls tickLate; nil if not set
	tickAfter     uint64          // machine.beats when tickTimer was set
	lastClaimer   int
	leases        map[*lease]bool // handed out, and neither released nor lost
	beating       int             // beats in flight
	seen          entryDigest     // the digest after the latest own message with a Beat
	lastContact   moment          // when a message of this process was applied
	leaseFrom     moment          // when that message was first sent: the lease counts from then
	steadySince   time.Time       // since when such messages have come without a pause
	leasesDropped bool            // the leases were given up because of silence
	silenceLogged bool            // the silence was logged
	refusedSince  time.Time       // since when this process's hello is refused, or zero
	helloFences   []fence         // what the next hello of this process fences
	warning       string          // what maintainLog cannot do, or ""
	fault         error           // the latest error of a write, as the servers report it
	refusedAt     time.Time       // when that was last a refusal
	unread        error           // why the log cannot be read at the moment, or nil
	broken        error           // why the log can be applied no further, or nil
	closing       bool
}

// Open joins the processes that share a namespace, and waits until the copy has all that the log had at the
// start. ctx bounds the opening only. The error is ErrUnreachable, ErrNameTaken, or says what to do. The caller
// closes the store.
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
		o.Logger.Info("the log was shortened while it was read; it is read again from a newer snapshot")
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

// begin starts the store on its journal, after connect.
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

// run starts the goroutines of the store, which stop ends. Nothing is written before the backlog is read: until
// then this process could not beat, and the others would fence it.
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

// catchUp starts to apply the log, and waits until the backlog is applied. The context that it answers ends
// with the store.
func (s *Store) catchUp(opening context.Context) (context.Context, error) {
	ctx, end := context.WithCancel(context.Background())
	s.end, s.lifetime = end, ctx
	s.running.Go(func() {
		if err := s.follow(ctx); err != nil {
			s.fail(err)
		}
	})
	return ctx, s.readBacklog(opening)
}

// readBacklog waits until the backlog is applied. It waits without a limit as long as entries come.
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
			return unreachable(fmt.Errorf("the log of the namespace %s has %d entries, and only %d came: has its stream a leader? More than half of its servers must be up", s.options.Address.Namespace, s.backlog, now))
		}
		s.log.Info("the log of the store is read", "entries", now, "of", s.backlog)
	}
}

// setLimits writes the limits of the options if they differ from those of the namespace.
func (s *Store) setLimits(ctx context.Context) error {
	wanted := s.options.Limits
	now := s.machine.tasks.Options()
	if wanted.MaxOutput != 0 && wanted.MaxOutput != now.MaxOutput && s.machine.isLimited() {
		return fmt.Errorf("the namespace %s keeps %d bytes of each stream of a task, which cannot be changed; leave out --max-output, or use another namespace", s.options.Address.Namespace, now.MaxOutput)
	}
	if (s.options.Role != RoleExecutor || s.machine.isLimited()) && !limitsDiffer(now, wanted) {
		return nil
	}
	_, err := s.do(ctx, change{Limits: limitsOf(wanted)})
	return err
}

// markOpened notes that the hello of this process was applied, so that the copy is as new as the log was at the
// start.
func (s *Store) markOpened(a answer) {
	if a.err == nil {
		s.machine.tasks.Opened()
		close(s.opened)
	}
}

// limitsDiffer reports whether a wanted limit that is not zero differs.
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
	host, _ := os.Hostname() // without a host name "" is shown
	return change{Hello: &hello{
		Name: cmp.Or(s.options.Name, executor.ProcessName()), Host: host, PID: os.Getpid(), Slots: s.options.Slots, Lease: int64(s.options.Lease),
		Rules: s.rules, Over: s.helloFences, Draining: s.draining, Ending: s.ending,
	}}
}

// noAnswer says why the hello of this process did not come back.
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
	case isWriteRefusal(s.fault):
		o.Fault = s.fault.Error()
	case len(s.flights) > 0 && s.lastContact.elapsed() > resendAfter:
		o.Fault = fmt.Sprintf("nothing was recorded for %v", s.lastContact.elapsed().Round(time.Second))
		if s.fault != nil {
			o.Fault += ": " + s.fault.Error()
		}
	}
	return o
}

func (s *Store) setWarning(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warning = text
}

// setFault notes why the servers do not take what this process writes. A refusal stays for a while: a write that was
// refused gets no answer, so its time-out comes behind it.
func (s *Store) setFault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isWriteRefusal(err):
		s.refusedAt = time.Now()
	case isWriteRefusal(s.fault) && time.Since(s.refusedAt) < 2*resendAtMost:
		return
	}
	s.fault = err
}
