package cmd

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// retryFlags are the flags that say whether a task is tried again.
type retryFlags struct {
	more  *int // how often at most, after the first attempt; nil is as the type says
	delay time.Duration
	on    []schema.ErrorKind
}

// flags adds the flags to a command.
func (o *retryFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.Var(&flagValue[*int]{&o.more, parseRetries, formatRetries, "number"}, "retry", "try the task again where an attempt has failed, at most so often; 0 is never, also where its type says otherwise")
	f.Var(span(&o.delay, executor.DefaultRetryDelay, 0), "retry-delay", "how long a task waits before it is tried again; each further wait is twice as long, up to an hour")
	f.Var(kinds(&o.on), "retry-on", "after which kinds of errors a task is tried again, as exit,timeout; without it after exit, signal, timeout, interrupted, and errors that are worth another try")
	complete(c, "retry", cobra.NoFileCompletions)
	complete(c, "retry-delay", cobra.NoFileCompletions)
	complete(c, "retry-on", completeKinds)
}

// check refuses flags that mean nothing without another one.
func (o *retryFlags) check(c *cobra.Command) error {
	for _, flag := range []string{"retry-delay", "retry-on"} {
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
		p.Retry.DelayMs, p.Retry.On = &delay, o.on
	}
}

func parseRetries(text string) (*int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= executor.MaxRetryAttempts {
		return nil, errors.New("want a number from 0 to " + strconv.Itoa(executor.MaxRetryAttempts-1))
	}
	return &n, nil
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
