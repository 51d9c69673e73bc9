package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// retryFlags are the flags that say whether a task is tried again.
type retryFlags struct {
	more   *int // how often at most, after the first attempt; nil is as the type says
	delay  time.Duration
	factor float64       // 0 is the default
	most   time.Duration // 0 is the default
	jitter *float64      // nil is the default
	on     []schema.ErrorKind
}

// flags adds the flags to a command.
func (o *retryFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.Var(&flagValue[*int]{&o.more, parseRetries, formatRetries, "number"}, "retry", "try the task again where an attempt has failed, at most so often; 0 is never, also where its type says otherwise")
	f.Var(span(&o.delay, executor.DefaultRetryDelay, 0), "retry-delay", "how long a task waits before it is tried again; each further wait is longer (--retry-factor)")
	f.Var(&flagValue[float64]{&o.factor, numberWithin(1, executor.MaxRetryFactor), func(float64) string { return "" }, "number"}, "retry-factor", "how many times as long as the wait before each further wait is")
	f.Lookup("retry-factor").DefValue = strconv.Itoa(executor.DefaultRetryFactor)
	f.Var(span(&o.most, 0, time.Millisecond), "retry-max-delay", "how long a wait is at most")
	f.Lookup("retry-max-delay").DefValue = show.Exact(executor.DefaultRetryMaxDelay)
	f.Var(&flagValue[*float64]{&o.jitter, parseJitter, func(*float64) string { return "" }, "number"}, "retry-jitter", "how much longer or shorter each wait is by chance, so that tasks which failed together do not come back together; 0 is not at all, 1 is up to twice as long")
	f.Lookup("retry-jitter").DefValue = strconv.FormatFloat(executor.DefaultRetryJitter, 'g', -1, 64)
	f.Var(kinds(&o.on), "retry-on", "after which kinds of errors a task is tried again, as exit,timeout; without it after exit, signal, timeout, interrupted, and errors that are worth another try")
	complete(c, "retry", cobra.NoFileCompletions)
	for _, flag := range retryDetails {
		complete(c, flag, cobra.NoFileCompletions)
	}
	complete(c, "retry-on", completeKinds)
}

// retryDetails are the flags that say how long the waits before further attempts are.
var retryDetails = []string{"retry-delay", "retry-factor", "retry-max-delay", "retry-jitter"}

// check refuses flags that mean nothing without another one.
func (o *retryFlags) check(c *cobra.Command) error {
	for _, flag := range append([]string{"retry-on"}, retryDetails...) {
		if o.more == nil && c.Flags().Changed(flag) {
			return usagef("%s: --%s says nothing without --retry, as in --retry 3", c.Name(), flag)
		}
	}
	return nil
}

// addTo adds the policy of the flags to a submit, where it says nothing of the same.
func (o *retryFlags) addTo(p *schema.SubmitParams) {
	if o.more == nil || p.Retry != nil {
		return
	}
	p.Retry = &schema.Retry{MaxAttempts: int32(*o.more) + 1}
	if *o.more > 0 {
		delay := milliseconds(o.delay)
		p.Retry.DelayMs, p.Retry.Factor, p.Retry.Jitter, p.Retry.On = &delay, o.factor, o.jitter, o.on
		p.Retry.MaxDelayMs = milliseconds(o.most)
	}
}

func parseRetries(text string) (*int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= executor.MaxRetryAttempts {
		return nil, errors.New("want a number from 0 to " + strconv.Itoa(executor.MaxRetryAttempts-1))
	}
	return &n, nil
}

// numberWithin reads a number from least to most.
func numberWithin(least, most float64) func(string) (float64, error) {
	return func(text string) (float64, error) {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= least && n <= most) {
			return 0, fmt.Errorf("want a number from %g to %g", least, most)
		}
		return n, nil
	}
}

func parseJitter(text string) (*float64, error) {
	n, err := numberWithin(0, 1)(text)
	return &n, err
}

func formatRetries(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// failureKinds are the kinds of errors with which an attempt can fail.
func failureKinds() []string {
	var names []string
	for _, kind := range schema.ErrorKinds {
		if kind != schema.KindCancelled && kind != schema.KindExpired && kind != schema.KindDependency {
			names = append(names, string(kind))
		}
	}
	return names
}

// kinds is a flag for kinds of errors, with commas between; given again it adds to those before.
func kinds(to *[]schema.ErrorKind) pflag.Value {
	return &flagValue[[]schema.ErrorKind]{to, func(text string) ([]schema.ErrorKind, error) {
		all := slices.Clone(*to)
		for name := range strings.SplitSeq(text, ",") {
			if known := failureKinds(); !slices.Contains(known, name) {
				return nil, wantOneOf(name, known)
			}
			if !slices.Contains(all, schema.ErrorKind(name)) {
				all = append(all, schema.ErrorKind(name))
			}
		}
		return all, nil
	}, func([]schema.ErrorKind) string { return "" }, "kinds"}
}

// completeKinds completes the last of a list of kinds.
func completeKinds(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	before := word[:strings.LastIndexByte(word, ',')+1]
	var found []string
	for _, name := range failureKinds() {
		found = append(found, before+name)
	}
	return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
