package inspect_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/schema"
)

// TestOutputIsReadWithoutServing reads what a task has written that is over, and
// one that is not, with and without holes.
func TestOutputIsReadWithoutServing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, MaxOutput: 3 * executor.MaxOutputPiece})
	require.NoError(t, err)
	l := claim(t, s)
	for _, c := range "abcde" {
		require.NoError(t, l.Write(schema.Stdout, []byte(strings.Repeat(string(c), executor.MaxOutputPiece))))
	}
	require.NoError(t, l.Write(schema.Log, []byte("a line\n")))
	recorded := make(chan error, 1)
	l.Finish(completed, func(err error) { recorded <- err })
	require.NoError(t, <-recorded)
	id := l.Record().ID
	piece := func(c string) string { return strings.Repeat(c, executor.MaxOutputPiece) }
	read := func(stream schema.Stream, tail int64) (string, inspect.OutputLoss) {
		var b bytes.Buffer
		loss, err := inspect.ReadOutput(t.Context(), path, id, stream, tail, &b)
		require.NoError(t, err)
		return b.String(), loss
	}
	text, loss := read(schema.Stdout, -1)
	require.True(t, strings.HasSuffix(piece("b")+piece("c")+piece("d")+piece("e"), text))
	require.Equal(t, inspect.OutputLoss{Before: int64(5*executor.MaxOutputPiece - len(text))}, loss)
	text, _ = read(schema.Stdout, executor.MaxOutputPiece+1)
	require.Equal(t, "d"+piece("e"), text)
	text, loss = read(schema.Log, 100)
	require.Equal(t, "a line\n", text)
	require.Zero(t, loss)
	text, loss = read(schema.Stderr, -1)
	require.Empty(t, text)
	require.Zero(t, loss)

	l = claim(t, s)
	require.NoError(t, l.Write(schema.Stdout, []byte("so far")))
	require.NoError(t, s.Close())
	_, err = inspect.ReadOutput(t.Context(), path, uuid.New(), schema.Stdout, -1, &bytes.Buffer{})
	require.ErrorIs(t, err, executor.ErrNotFound)

	edit(t, path, "UPDATE output SET data=zeroblob(length(data)) WHERE stream=0 AND start=98304")
	text, loss = read(schema.Stdout, -1)
	require.True(t, strings.HasSuffix(text, piece("e")))
	require.NotContains(t, text, "d")
	require.EqualValues(t, executor.MaxOutputPiece, loss.Within)
	outputs := map[uuid.UUID]inspect.Outputs{}
	require.NoError(t, inspect.ExportOutputs(t.Context(), path, executor.Filter{}, func(t *schema.Task, all *inspect.Outputs) error {
		outputs[t.ID] = *all
		return nil
	}, nil))
	require.Equal(t, piece("e"), string(outputs[id][schema.Stdout].Data), "what is behind the hole")
	require.EqualValues(t, 4*executor.MaxOutputPiece, outputs[id][schema.Stdout].Offset)
	require.Equal(t, "a line\n", string(outputs[id][schema.Log].Data))
	id = l.Record().ID
	text, _ = read(schema.Stdout, -1)
	require.Equal(t, "so far", text)
	require.Equal(t, "so far", string(outputs[id][schema.Stdout].Data))
	require.False(t, outputs[id][schema.Stdout].Final)
}
