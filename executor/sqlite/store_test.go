package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	var ids []uuid.UUID
	for i := range 10 {
		r := executor.Record{}
		r.ID, r.Type, r.CreatedAt, r.Input = uuid.New(), "plain", schema.Now(), []byte(`{"a":1}`)
		r.Rerun = i%2 == 0
		a, err := s.Submit(t.Context(), []executor.Record{r})
		require.NoError(t, err)
		require.NoError(t, a[0].Err)
		ids = append(ids, r.ID)
	}
	w, err := s.Watch(t.Context())
	require.NoError(t, err)
	w.Subscribe(executor.Selector{Events: executor.AllEvents})
	for i := range 8 {
		l, err := s.Claim(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, l.Started(1))
		require.NoError(t, l.Write(schema.Stdout, []byte("hello")))
		if i == 7 {
			continue
		}
		done := make(chan error, 1)
		l.Finish(executor.Outcome{State: schema.Completed, Result: []byte(`{"x":1}`)}, func(err error) { done <- err })
		l.Release()
		require.NoError(t, <-done)
	}
	evs, err := w.Next(t.Context())
	require.NoError(t, err)
	fmt.Println(len(evs))
	c, _ := s.Counts(t.Context())
	fmt.Printf("%+v\n", c)
	p, err := s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 100})
	require.NoError(t, err)
	require.Len(t, p.Tasks, 10)
	rep, err := s.Replay(t.Context(), 0, 1<<60, 100)
	require.NoError(t, err)
	fmt.Println(len(rep))
	o, err := s.Output(t.Context(), ids[0], schema.Stdout, executor.OutputRange{Tail: -1, Limit: 100})
	require.NoError(t, err)
	fmt.Printf("%+v\n", o)
	require.NoError(t, s.Close())
	s, err = Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	c, _ = s.Counts(t.Context())
	fmt.Printf("%+v\n", c)
	p, err = s.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 100})
	require.NoError(t, err)
	for _, x := range p.Tasks {
		fmt.Println(x.State, x.Error, string(x.Result))
	}
	require.NoError(t, s.Close())
}
