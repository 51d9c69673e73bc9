package rpc_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// A client that reads late is sent nothing of the output of tasks that were
// forgotten by then, and is told so of every byte.
func TestOutputOfForgottenTasksIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks, size = 60, 64 << 10
		ex := serverOver(t, memory.New(memory.Options{Keep: 2}), 1, talker(size, 0, false))
		p := connect(t, ex, rpc.Options{})
		for i := range tasks {
			p.send(submitLine(i, uuid.New(), "talker", ""))
			synctest.Wait()
		}
		told, gaps := map[uuid.UUID]int64{}, int64(0)
		for ended := 0; ended < tasks; {
			switch m := p.next(); m.Method {
			case schema.NotifyOutput:
				require.Equal(t, told[m.Params.ID]+m.Params.Gap, m.Params.Offset)
				told[m.Params.ID] = m.Params.Offset + sizeOf(t, m.Params)
				gaps += m.Params.Gap
			case schema.NotifyFinished:
				require.EqualValues(t, size, told[m.Params.ID])
				ended++
			}
		}
		require.Positive(t, gaps)
		p.conn.Close()
	})
}
