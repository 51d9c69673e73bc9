package file

import (
	"context"
	"errors"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"
)

// TestAQueryTellsWhyItEnded has rows that are not all read.
func TestAQueryTellsWhyItEnded(t *testing.T) {
	c, err := Dial(":memory:", sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	require.NoError(t, err)
	defer c.Close()
	ctx, end := context.WithCancel(t.Context())
	c.SetInterrupt(ctx)
	mine := errors.New("enough of it")
	for _, q := range []struct {
		name, sql string
		third     func() error
		rows      int
		want      error
	}{
		{"all rows are read", "VALUES(1),(2),(3),(4)", func() error { return nil }, 4, nil},
		{"the caller has enough", "VALUES(1),(2),(3),(4)", func() error { return mine }, 3, mine},
		{"a row cannot be computed", "SELECT abs(column1) FROM (VALUES(1),(2),(3),(-9223372036854775808))", func() error { return nil }, 3, sqlite3.ERROR},
		{"the context ends", "VALUES(1),(2),(3),(4)", func() error { end(); return nil }, 3, sqlite3.INTERRUPT},
	} {
		t.Run(q.name, func(t *testing.T) {
			rows := 0
			err := c.Query(q.sql, func(*sqlite3.Stmt) error {
				if rows++; rows == 3 {
					return q.third()
				}
				return nil
			})
			require.ErrorIs(t, err, q.want)
			require.Equal(t, q.rows, rows)
		})
	}
}
