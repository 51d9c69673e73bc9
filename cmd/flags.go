package cmd

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
)

// flagValue is a pflag.Value of any type that can be parsed.
type flagValue[T any] struct {
	to     *T
	parse  func(string) (T, error)
	format func(T) string
	kind   string
}

func (v *flagValue[T]) Set(text string) error {
	parsed, err := v.parse(text)
	if err == nil {
		*v.to = parsed
	}
	return err
}

func (v *flagValue[T]) Type() string { return v.kind }

func (v *flagValue[T]) String() string {
	if v.format == nil { // pflag asks the zero value
		return ""
	}
	return v.format(*v.to)
}

// nonEmpty is a flag for a name. An empty one is refused: it may be a variable of a script that is
// not set, and the task would run without what the name is there for.
func nonEmpty(to *string) pflag.Value {
	return &flagValue[string]{to, func(text string) (string, error) {
		if text == "" {
			return "", errors.New("the name is empty; give one, or leave the flag out")
		}
		return text, nil
	}, func(text string) string { return text }, "string"}
}

// noName is the word that takes a name back, such as that of a group. It is no name itself.
const noName = "none"

// nameOrNone is a flag for a name, or "none" for no name.
func nameOrNone(to *string) pflag.Value {
	return &flagValue[string]{to, func(text string) (string, error) {
		switch text {
		case "":
			return "", errors.New("the name is empty; give one, or " + noName)
		case noName:
			return "", nil
		}
		return text, nil
	}, func(text string) string { return text }, "string"}
}

// properName is a flag for a name that is given to something: neither empty nor "none".
func properName(to *string) pflag.Value {
	return &flagValue[string]{to, func(text string) (string, error) {
		if text == noName {
			return "", errors.New(noName + " is no name: elsewhere it takes a name back; give another one, or leave the flag out")
		}
		return text, nonEmpty(new(string)).Set(text)
	}, func(text string) string { return text }, "string"}
}

// count is a flag for a number of at least least.
func count(to *int, fallback, least int) pflag.Value {
	return countTo(to, fallback, least, math.MaxInt)
}

// countTo is a flag for a number from least to most.
func countTo(to *int, fallback, least, most int) pflag.Value {
	*to = fallback
	want := fmt.Errorf("want a number of %d or more", least)
	if most < math.MaxInt {
		want = fmt.Errorf("want a number from %d to %d", least, most)
	}
	return &flagValue[int]{to, func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, want
		}
		return n, nil
	}, strconv.Itoa, "number"}
}

// size is a flag for a number of bytes of at least least.
func size[N int | int64](to *N, fallback, least N) pflag.Value {
	*to = fallback
	return &flagValue[N]{to, func(text string) (N, error) {
		n, ok := parseSize(text)
		if !ok || n < int64(least) {
			return 0, fmt.Errorf("want a number of bytes, %s or more, as 16777216, 16M (or 16MiB) or 16MB", formatSize(int64(least)))
		}
		return N(n), nil
	}, func(n N) string { return formatSize(int64(n)) }, "bytes"}
}

// span is a flag for a time of at least least.
func span(to *time.Duration, fallback, least time.Duration) pflag.Value {
	*to = fallback
	return &flagValue[time.Duration]{to, func(text string) (time.Duration, error) {
		d, err := parseSpan(text)
		if err != nil || d < least {
			return 0, fmt.Errorf("want a time of %v or more, as %s, 24h or 30d; a number alone is seconds", least, shortSpans(least))
		}
		return d, nil
	}, show.Exact, "duration"}
}

// shortSpans are examples of short times that are at least least.
func shortSpans(least time.Duration) string {
	if least >= time.Second {
		return "90s"
	}
	return "300ms, 1.5s"
}

const day = show.Day

// parseSpan reads a time as Go writes it, with days before the rest: 36h or 1d12h. A
// number without a unit is seconds, as timeout and sleep take it.
func parseSpan(text string) (time.Duration, error) {
	if strings.Trim(text, "0123456789.") == "" && text != "" {
		text += "s"
	}
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > float64(math.MaxInt64/day) {
		return 0, fmt.Errorf("%q is no number of days", days)
	}
	whole := time.Duration(n * float64(day))
	if rest == "" {
		return whole, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || n < 0 || more < 0 || whole > math.MaxInt64-more {
		return 0, fmt.Errorf("%q is no time after days", rest)
	}
	return whole + more, nil
}

// option is one value of a flag made by choice.
type option[T any] struct {
	name  string
	value T
}

// choice adds a flag that has one of a few values. The first is the default. The
// values are completed by the shell.
func choice[T comparable](c *cobra.Command, to *T, name, usage string, options ...option[T]) {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.name
	}
	*to = options[0].value
	parse := func(text string) (T, error) {
		if i := slices.Index(names, text); i >= 0 {
			return options[i].value, nil
		}
		return *to, wantOneOf(text, names)
	}
	format := func(v T) string {
		return names[slices.IndexFunc(options, func(o option[T]) bool { return o.value == v })]
	}
	c.Flags().Var(&flagValue[T]{to, parse, format, strings.Join(names, "|")}, name, usage)
	complete(c, name, cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

// wantOneOf is the error of a text that is none of the names.
func wantOneOf(text string, names []string) error {
	return fmt.Errorf("want one of %s%s", strings.Join(names, ", "), maybeMeant(text, names))
}

func maybeMeant(text string, names []string) string {
	if hint := didYouMean(text, names, ""); hint != "" {
		return "; " + hint
	}
	return ""
}

// complete sets the completion of a flag, which must exist.
func complete(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
	// Alone, a letter is what it is for dd, head and systemd.
	{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"k", 1 << 10},
}

// parseSize reads 16777216 or 16MiB: 1 or more, and what an int64 can hold.
func parseSize(text string) (bytes int64, ok bool) {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

// formatSize writes a size in the largest binary unit that leaves a whole number.
func formatSize(n int64) string {
	for _, u := range sizeUnits[:4] {
		if n >= u.bytes && n%u.bytes == 0 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(n, 10)
}
