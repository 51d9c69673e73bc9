package executor

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"
)

// The defaults of Options.
const (
	DefaultGrace     = 5 * time.Second
	DefaultMaxResult = 4 << 20
)

// Options sets an Executor. A zero is the default.
type Options struct {
	// Types are what can be submitted. Allow, where it is not empty, restricts
	// them by name; what it leaves out answers NotPermittedError.
	Types []Type
	Allow []string
	// Limit is the most tasks that run at once: the number of CPUs by default. Below 0 is none, for
	// an executor that runs nothing itself. Only a store that processes share allows that.
	Limit int
	// Labels are what tasks can ask for with schema.Conditions.On. They must not be changed.
	Labels map[string]string
	// Name is what the executor is called where it is the only one of its store: ProcessName by default.
	Name string
	// Grace is how long a task may go on after it was told to stop, where
	// neither the submit nor the type says: 5 s by default. Below 0 is none.
	Grace time.Duration
	// MaxResult bounds the JSON of a result, in bytes.
	MaxResult int
	// Logger gets what the executor has to say; nil is nothing.
	Logger *slog.Logger
}

// complete checks the options for a store, and sets those that are zero.
func (o *Options) complete(info StoreInfo) (err error) {
	if o.Limit, err = slots(o.Limit, info); err != nil {
		return err
	}
	if err := CheckPlaces(o.Labels); err != nil {
		return fmt.Errorf("Options.Labels: %w", err)
	}
	if o.Name = cmp.Or(o.Name, ProcessName()); o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	o.Grace = max(o.Grace, 0)
	if o.MaxResult == 0 {
		o.MaxResult = DefaultMaxResult
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
