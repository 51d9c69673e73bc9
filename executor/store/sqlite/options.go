package sqlite

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// The defaults of Options.
const (
	DefaultKeep      = 1_000_000
	DefaultKeepFor   = 30 * 24 * time.Hour
	DefaultKeepBytes = 4 << 30
	DefaultKeepIDs   = 1_000_000
	DefaultMaxQueued = 1_000_000
	DefaultMaxOutput = 1 << 20
)

// Options configures a Store. The zero value of a field means its default.
type Options struct {
	// Path is the file. If it does not exist, it is made, with its directory.
	Path string
	// Finished tasks are kept while there are at most Keep of them, for at
	// most KeepFor, and while their inputs, results and outputs have at most
	// KeepBytes together; the oldest go first, and the newest is kept however
	// large it is. A negative Keep keeps none.
	Keep      int
	KeepFor   time.Duration
	KeepBytes int64
	// KeepIDs is how many ids of tasks that are no longer kept are remembered, so that
	// none of these tasks runs again. The newest ids are remembered. Each takes 58 bytes
	// of the file. A negative KeepIDs remembers none.
	KeepIDs int
	// MaxQueued bounds the tasks that wait to run.
	MaxQueued int
	// MaxOutput bounds what is kept of each stream of a task, in bytes.
	MaxOutput int
	// Resources is how much there is of each resource that tasks can need.
	Resources map[string]int64
	// Logger gets the log messages of the store. With nil there are none.
	Logger *slog.Logger
	// VFS names the SQLite VFS that reads and writes. "" is the default VFS of the system.
	VFS string

	// synchronous is FULL, except in a test that shows why it must be.
	synchronous string
	// window is the constant windowTasks, except in tests.
	window int
	// syncDir syncs a directory. A test replaces it to observe the calls.
	syncDir func(dir string) error
	// checkFilesEvery is the constant checkFilesEvery, except in tests. Below 0 the
	// files are checked each time.
	checkFilesEvery time.Duration
	// conditionScan is the constant conditionScan, except in tests.
	conditionScan int64
	// companyDelay is the constant companyDelay, except in tests. Below 0 nothing waits.
	companyDelay time.Duration
	// begunDir is disk.BegunDir, except in tests.
	begunDir string
}

func (o *Options) setDefaults() {
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	o.KeepFor = cmp.Or(o.KeepFor, DefaultKeepFor)
	o.KeepBytes = cmp.Or(o.KeepBytes, DefaultKeepBytes)
	o.KeepIDs = cmp.Or(o.KeepIDs, DefaultKeepIDs)
	o.MaxQueued = cmp.Or(o.MaxQueued, DefaultMaxQueued)
	o.MaxOutput = cmp.Or(o.MaxOutput, DefaultMaxOutput)
	o.synchronous = cmp.Or(o.synchronous, "FULL")
	o.window = cmp.Or(o.window, windowTasks)
	o.checkFilesEvery = cmp.Or(o.checkFilesEvery, checkFilesEvery)
	o.conditionScan = cmp.Or(o.conditionScan, conditionScan)
	o.companyDelay = cmp.Or(o.companyDelay, companyDelay)
	o.begunDir = cmp.Or(o.begunDir, disk.BegunDir)
	if o.syncDir == nil {
		o.syncDir = disk.SyncDir
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
}
