package show

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
		require.Equal(t, want, Span(d))
	}
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 59 * time.Second: "59s", 90 * time.Minute: "1h", 47 * time.Hour: "47h", 49 * time.Hour: "2d", 30 * time.Minute: "30m",
	} {
		require.Equal(t, want, Age(schema.TimeOf(now.Add(-d)), now))
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
		require.Equal(t, want, State(&task))
	}
}

func TestEndsInWords(t *testing.T) {
	for want, task := range map[string]schema.Task{
		"exec completed":                          {State: schema.Completed},
		"exec cancelled":                          {State: schema.Cancelled, Error: &schema.TaskError{Message: "cancelled"}},
		"exec cancelled: too late":                {State: schema.Cancelled, Error: &schema.TaskError{Message: "cancelled: too late"}},
		"exec cancelled: sh was ended by SIGTERM": {State: schema.Cancelled, Error: &schema.TaskError{Message: "cancelled; sh was ended by SIGTERM"}},
		"exec failed: sh exited with code 3":      {State: schema.Failed, Error: &schema.TaskError{Message: "sh exited with code 3"}},
		"exec failed: for an unknown reason":      {State: schema.Failed},
		"exec failed: cancelled":                  {State: schema.Failed, Error: &schema.TaskError{Message: "cancelled"}},
	} {
		task.Type = "exec"
		require.Equal(t, want, End(&task))
	}
}

func TestWorkInWords(t *testing.T) {
	for input, want := range map[string]string{
		``: "", `{}`: "", `{"argv":["sh","-c","a b"],"dir":"/"}`: "sh -c 'a b'", `{"argv":5}`: `{"argv":5}`,
	} {
		require.Equal(t, want, Work(&schema.Task{Type: "exec", Input: jsontext.Value(input)}))
	}
	require.Equal(t, `{"argv":["a"]}`, Work(&schema.Task{Type: "mine", Input: jsontext.Value(`{"argv":["a"]}`)}))
}
