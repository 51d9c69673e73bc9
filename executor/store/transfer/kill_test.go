package transfer_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// killedCopy makes the program of the tests a copy that waits to be killed at some point.
const killedCopy = "JOBLINE_TEST_KILLED_COPY"

// killed says what such a copy does.
type killed struct {
	From      string // a file
	File      string // to which it copies, or ""
	Namespace nats.Address
	At        string // "waiting" or "commit"
}

func TestMain(m *testing.M) {
	if text := os.Getenv(killedCopy); text != "" {
		var k killed
		err := json.Unmarshal([]byte(text), &k)
		if err == nil {
			err = k.copy(context.Background())
		}
		fmt.Println(err) // it was to be killed
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func (k *killed) copy(ctx context.Context) error {
	from, err := sqlite.CopyFrom(ctx, k.From)
	if err != nil {
		return err
	}
	var to transfer.Target
	if k.File != "" {
		to, err = sqlite.CopyInto(k.File)
	} else {
		to, err = nats.CopyInto(ctx, k.Namespace, nats.Credentials{})
	}
	if err != nil {
		return err
	}
	_, err = transfer.Copy(ctx, &stopping{from, k.At, 0}, &stoppingTarget{to, k.At})
	return err
}

// stop waits to be killed.
func stop() error {
	fmt.Println("here")
	select {}
}

// stopping is a source that stops behind some tasks.
type stopping struct {
	transfer.From
	at    string
	tasks int
}

// Waiting implements transfer.Source.
func (s *stopping) Waiting(ctx context.Context, f func(*transfer.Task) error) error {
	return s.From.Waiting(ctx, func(t *transfer.Task) error {
		if s.tasks++; s.at == "waiting" && s.tasks > 3 {
			return stop()
		}
		return f(t)
	})
}

type stoppingTarget struct {
	transfer.Target
	at string
}

func (s *stoppingTarget) Commit(ctx context.Context) error {
	if s.at == "commit" {
		return stop()
	}
	return s.Target.Commit(ctx)
}

// kill begins a copy in another process, and kills that.
func (k killed) kill(t *testing.T) {
	text, err := json.Marshal(k)
	require.NoError(t, err)
	c := exec.Command(os.Args[0])
	c.Env, c.Stderr = append(os.Environ(), killedCopy+"="+string(text)), os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "here\n", line)
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()
}

// A copy that was killed is no store, and says what to do. The same copy begins anew.
func TestKilledCopy(t *testing.T) {
	servers := cluster(t)
	dir := t.TempDir()
	from := filepath.Join(dir, "a")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: from})
	require.NoError(t, err)
	work(t, s, 7, 60)
	require.NoError(t, s.Close())
	for _, at := range []string{"waiting", "commit"} {
		one := namespace(t, servers)
		for range 2 {
			killed{From: from, Namespace: one, At: at}.kill(t)
			_, err = nats.Open(t.Context(), nats.Options{Address: one})
			require.ErrorContains(t, err, "a copy into the namespace was begun and not finished")
			_, err = nats.CopyFrom(t.Context(), one, nats.Credentials{})
			require.ErrorContains(t, err, "a copy into the namespace was begun and not finished")
		}
		sum := copied(t, from, one)
		require.NotZero(t, sum.Tasks)

		file := filepath.Join(dir, "b-"+at)
		killed{From: from, File: file, At: at}.kill(t)
		_, err = sqlite.Open(t.Context(), sqlite.Options{Path: file})
		require.ErrorContains(t, err, file+".part, the beginning of a copy that has not ended; make the copy again, or remove that file")
		require.Equal(t, sum, copied(t, one, file))
		was, _ := exported(t, from)
		is, _ := exported(t, file)
		sameLines(t, was, is)
		left, err := filepath.Glob(file + "*")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{file}, left)
	}
}

// What must not be copied, or into, is refused, and is as it was.
func TestRefusedCopies(t *testing.T) {
	servers := cluster(t)
	dir := t.TempDir()
	from, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: from})
	require.NoError(t, err)
	work(t, s, 3, 20)
	empty := namespace(t, servers)
	_, err = tryCopy(t, from, empty)
	var held *sqlite.HeldError
	require.ErrorAs(t, err, &held)
	require.ErrorContains(t, err, fmt.Sprintf("is held by process %d (", os.Getpid()))
	require.NoError(t, s.Close())
	_, err = tryCopy(t, other, empty)
	require.ErrorContains(t, err, "there is no store "+other+"; name the file that serve has as --store")
	_, err = tryCopy(t, from, from)
	require.ErrorContains(t, err, from+" exists, and a copy replaces nothing; name another file")
	copied(t, from, empty)
	_, err = tryCopy(t, from, empty)
	require.ErrorContains(t, err, "is not empty: its log goes up to entry 1; make another one with jobline store init, and copy into that")
	_, err = tryCopy(t, from, nats.Address{Servers: servers, Namespace: "none"})
	require.ErrorContains(t, err, "there is no namespace none yet; make it with")

	used, err := nats.Open(t.Context(), nats.Options{Address: empty, Name: "busy"})
	require.NoError(t, err)
	_, err = tryCopy(t, empty, other)
	var live *nats.LiveError
	require.ErrorAs(t, err, &live)
	require.Equal(t, "busy", live.Name)
	require.Equal(t, os.Getpid(), live.PID)
	require.ErrorContains(t, err, "end it (jobline executors drain NAME --end, or jobline shutdown), or try again in ")
	require.NoError(t, used.Close())
	copied(t, empty, other)
}

// What is damaged is not copied in part.
func TestDamagedCopy(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "a")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: from})
	require.NoError(t, err)
	all := make([]executor.Submission, 3)
	for i := range all {
		all[i].ID, all[i].Type, all[i].Input, all[i].CreatedAt = uuid.Must(uuid.NewV7()), "t", fmt.Appendf(nil, `"input %d"`, i), schema.Now()
	}
	_, err = s.Submit(t.Context(), all)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(from, bytes.Replace(text, []byte(`"input 1"`), []byte(`"input 2"`), 1), 0o600))
	_, err = tryCopy(t, from, filepath.Join(dir, "b"))
	require.ErrorIs(t, err, executor.ErrDamaged)
	require.ErrorContains(t, err, "task number 2")
	left, err := filepath.Glob(filepath.Join(dir, "b*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// A server that starts while a store is copied is noticed, and so is a copy that differs.
func TestDisturbedCopies(t *testing.T) {
	servers := cluster(t)
	from := filepath.Join(t.TempDir(), "a")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: from})
	require.NoError(t, err)
	work(t, s, 5, 20)
	require.NoError(t, s.Close())
	one, two := namespace(t, servers), namespace(t, servers)
	copied(t, from, one)
	source, err := nats.CopyFrom(t.Context(), one, nats.Credentials{})
	require.NoError(t, err)
	used, err := nats.Open(t.Context(), nats.Options{Address: one})
	require.NoError(t, err)
	target, err := nats.CopyInto(t.Context(), two, nats.Credentials{})
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), source, target)
	require.ErrorContains(t, err, "was changed while it was copied: a server has started; end it, and copy again")
	require.NoError(t, target.Close())
	require.NoError(t, source.Close())
	require.NoError(t, used.Close())

	source, err = nats.CopyFrom(t.Context(), one, nats.Credentials{})
	require.NoError(t, err)
	target, err = nats.CopyInto(t.Context(), two, nats.Credentials{})
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), source, &lossy{target})
	var differs *transfer.DiffersError
	require.ErrorAs(t, err, &differs)
	require.Equal(t, differs.From.Waiting, differs.To.Waiting+1)
	require.NoError(t, target.Close())
	_, err = nats.Open(t.Context(), nats.Options{Address: two})
	require.ErrorContains(t, err, "not finished")

	target, err = nats.CopyInto(t.Context(), two, nats.Credentials{})
	require.NoError(t, err)
	again, err := nats.CopyInto(t.Context(), two, nats.Credentials{}) // takes the place of the first
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), source, target)
	require.ErrorContains(t, err, "another process wrote to the namespace")
	_, err = transfer.Copy(t.Context(), source, again)
	require.NoError(t, err)
	require.NoError(t, target.Close())
	require.NoError(t, again.Close())
	require.NoError(t, source.Close())
}

// lossy loses a task.
type lossy struct{ transfer.Target }

func (l *lossy) Filled(ctx context.Context) (transfer.Source, error) {
	s, err := l.Target.Filled(ctx)
	return &losing{s}, err
}

type losing struct{ transfer.Source }

func (l *losing) Waiting(ctx context.Context, f func(*transfer.Task) error) error {
	lost := uuid.Nil
	return l.Source.Waiting(ctx, func(t *transfer.Task) error {
		if lost == uuid.Nil {
			lost = t.ID
			return nil
		}
		return f(t)
	})
}
