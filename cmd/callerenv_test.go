package cmd

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

func TestSecretsAreInNoFile(t *testing.T) {
	open, hidden := splitEnviron([]string{
		"PATH=/bin", "EMPTY=", "A=b=c", "GITHUB_TOKEN=t", "my_password=p", "AWS_SECRET_ID=s", "SSH_KEY=k", "JOBLINE_LIMIT=1", "NATS_USER=u", "NATS_PASSWORD=p", "BAD=\xff", "=C:=x",
	})
	require.Equal(t, map[string]string{"PATH": "/bin", "EMPTY": "", "A": "b=c"}, open)
	require.Equal(t, map[string]string{"GITHUB_TOKEN": "t", "my_password": "p", "AWS_SECRET_ID": "s", "SSH_KEY": "k"}, hidden)
}

// A server that is started on demand keeps the settings of its starter, and no secrets.
func TestAServerGetsNoSecretsOfItsStarter(t *testing.T) {
	require.Equal(t, []string{"PATH=/bin", "JOBLINE_LIMIT=1"},
		(*namespace)(nil).serverEnviron([]string{"PATH=/bin", "GITHUB_TOKEN=t", "my_password=p", "NATS_USER=u", "NATS_CREDS=c", "JOBLINE_LIMIT=1", socketVariable + "=/s", "JOBLINE_TASK_ID=x"}))
}

func TestAnEnvironmentIsKeptOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state", "env")
	first, err := keepEnvironment(folder, []byte(`{"A":"b"}`))
	require.NoError(t, err)
	old := time.Now().Add(-2 * envKept)
	require.NoError(t, os.Chtimes(first, old, old))
	again, err := keepEnvironment(folder, []byte(`{"A":"b"}`))
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := keepEnvironment(folder, []byte(`{"A":"c"}`))
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	require.Equal(t, `{"A":"c"}`, readText(t, other))
	if info, err := os.Stat(other); runtime.GOOS != "windows" {
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
	}

	require.NoError(t, os.Truncate(first, 0), "as after a loss of power")
	again, err = keepEnvironment(folder, []byte(`{"A":"b"}`))
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, `{"A":"b"}`, readText(t, first))

	require.NoError(t, os.Chtimes(other, old, old))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "new-1"), nil, 0o600))
	removeOldEnvironments(folder, time.Now())
	require.FileExists(t, first, "it was used just now")
	require.NoFileExists(t, other)
	require.FileExists(t, filepath.Join(folder, "new-1"), "somebody may be writing it")
	removeOldEnvironments(filepath.Join(folder, "none"), time.Now())
}

func TestTheCallersPlaceIsAdded(t *testing.T) {
	c := &callerEnv{dir: jsontext.Value(`"/here"`), file: jsontext.Value(`"/env.json"`), hidden: jsontext.Value(`{"TOKEN":"t"}`)}
	for input, want := range map[string]string{
		`{"argv":["a"]}`: `{"argv":["a"],"dir":"/here","env":{"TOKEN":"t"},"envFile":"/env.json","stderr":"ordered"}`,
		`{"argv":["a"],"dir":"/","stderr":"stdout","env":{"TOKEN":"mine","B":null}}`: `{"argv":["a"],"dir":"/","env":{"B":null,"TOKEN":"mine"},"envFile":"/env.json","stderr":"stdout"}`,
		`{"argv":["a"],"envFile":"/mine"}`:                                           `{"argv":["a"],"dir":"/here","envFile":"/mine","stderr":"ordered"}`,
		`5`:                                                                          `5`,
	} {
		got, err := c.addTo(jsontext.Value(input))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	got, err := (&callerEnv{dir: jsontext.Value(`"/here"`)}).addTo(jsontext.Value(`{}`))
	require.NoError(t, err)
	require.Equal(t, `{"dir":"/here","stderr":"ordered"}`, string(got), "a server of this command's own has its environment")
}

func TestSecretsOfARetry(t *testing.T) {
	lookup := func(name string) (string, bool) { return "now", name == "TOKEN" }
	got, err := ownValues([]string{"TOKEN"}, lookup)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"TOKEN": "now"}, got)
	_, err = ownValues([]string{"TOKEN", "KEY"}, lookup)
	require.EqualError(t, err, "hidden values of the input are kept nowhere: KEY; set them, and submit the task again")
}
