package cmd

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

func TestShortTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 340 * time.Millisecond: "340ms", 3490 * time.Millisecond: "3.4s", 34 * time.Second: "34s",
		192 * time.Second: "3m12s", 5*time.Hour + 12*time.Minute: "5h12m", 76 * time.Hour: "3d4h", 9999 * time.Millisecond: "9.9s",
	} {
		require.Equal(t, want, shortSpan(d))
	}
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 59 * time.Second: "59s", 90 * time.Minute: "1h", 47 * time.Hour: "47h", 49 * time.Hour: "2d", 30 * time.Minute: "30m",
	} {
		require.Equal(t, want, ageOf(schema.TimeOf(now.Add(-d)), now))
	}
}

func TestMomentsOfFlags(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "1d": now.Add(-24 * time.Hour), "2026-01-30T10:00:00Z": time.Date(2026, 1, 30, 10, 0, 0, 0, time.UTC),
		"2026-01-30": time.Date(2026, 1, 30, 0, 0, 0, 0, time.Local), "2026-01-30 10:05": time.Date(2026, 1, 30, 10, 5, 0, 0, time.Local),
	} {
		got, ok := parseMoment(text, now)
		require.True(t, ok, text)
		require.True(t, want.Equal(got.Time()), text)
	}
	for _, text := range []string{"", "yesterday", "-2h", "2026-13-01"} {
		_, ok := parseMoment(text, now)
		require.False(t, ok, text)
	}
}

func TestStatesInWords(t *testing.T) {
	for want, task := range map[string]schema.Task{
		"queued":           {},
		"running":          {State: schema.Running, Progress: &schema.Progress{Value: 3}},
		"running 33%":      {State: schema.Running, Progress: &schema.Progress{Value: 1, Total: 3}},
		"running stopped":  {State: schema.Running, Stopped: true, Progress: &schema.Progress{Value: 1, Total: 3}},
		"running stopping": {State: schema.Running, CancelRequestedAt: 1},
		"failed exit 3":    {State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindExit, ExitCode: new(3)}},
		"failed SIGKILL":   {State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindSignal, Signal: "SIGKILL"}},
		"failed ENOENT":    {State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindSpawn, Errno: "ENOENT"}},
		"failed timeout":   {State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTimeout}},
		"cancelled":        {State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled}},
	} {
		require.Equal(t, want, stateText(&task))
	}
}

func TestWorkInWords(t *testing.T) {
	for input, want := range map[string]string{
		``: "", `{}`: "", `{"argv":["sh","-c","a b"],"dir":"/"}`: "sh -c 'a b'", `{"argv":5}`: `{"argv":5}`,
	} {
		require.Equal(t, want, workText(&schema.Task{Type: "exec", Input: jsontext.Value(input)}))
	}
	require.Equal(t, `{"argv":["a"]}`, workText(&schema.Task{Type: "mine", Input: jsontext.Value(`{"argv":["a"]}`)}))
}

func TestOutcomesAreThoseOfXargs(t *testing.T) {
	end := func(e *schema.TaskError) *schema.Task {
		if e == nil {
			return &schema.Task{State: schema.Completed}
		}
		return &schema.Task{State: schema.Failed, Error: e}
	}
	exit := func(code int) *schema.TaskError { return &schema.TaskError{Kind: schema.KindExit, ExitCode: &code} }
	for _, c := range []struct {
		ends []*schema.TaskError
		want exitCode
	}{
		{nil, 0}, {[]*schema.TaskError{nil, nil}, 0}, {[]*schema.TaskError{nil, exit(1)}, 123}, {[]*schema.TaskError{exit(3), exit(255)}, 124},
		{[]*schema.TaskError{exit(255), exit(3)}, 124}, {[]*schema.TaskError{{Kind: schema.KindSignal}}, 125},
		{[]*schema.TaskError{{Kind: schema.KindSpawn, Errno: "EACCES"}}, 126}, {[]*schema.TaskError{{Kind: schema.KindSpawn, Errno: "ENOENT"}}, 127},
		{[]*schema.TaskError{exit(126)}, 126}, {[]*schema.TaskError{exit(127)}, 127}, {[]*schema.TaskError{{Kind: schema.KindTimeout}, {Kind: schema.KindPanic}}, 123},
	} {
		var o outcome
		for _, e := range c.ends {
			o.add(end(e))
		}
		require.Equal(t, c.want, o.code, "%v", c.ends)
	}
	var o outcome
	o.add(&schema.Task{State: schema.Cancelled})
	require.Equal(t, exitCode(exitSomeFailed), o.code)
	require.EqualValues(t, 1, o.codeOfOne())
}
