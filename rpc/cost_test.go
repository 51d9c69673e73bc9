package rpc_test

import (
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc"
)

// manyMembers is an object of so many members with different names.
func manyMembers(count int, value string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range count {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%x":%s`, i, value)
	}
	return b.String() + "}"
}

// peak is by how many bytes f lets the heap grow, as the garbage collector finds
// when it runs again and again.
func peak(f func()) (most uint64) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	before, over := heap(), make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
				metrics.Read(live)
				now := live[0].Value.Uint64()
				most = max(most, now-min(before, now))
			}
		}
	})
	f()
	close(over)
	watching.Wait()
	return most
}

// A message with very many members or elements costs a few times its text,
// wherever they are and whatever the answer is.
func TestManyMembersCostLittle(t *testing.T) {
	measuresMemory(t)
	const count = 300_000
	numbers, texts := manyMembers(count, "1"), manyMembers(count, `""`)
	list := strings.TrimSuffix(strings.Repeat(`"a",`, count), ",")
	submit := func(more string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop"` + more + `}}`
	}
	call := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	}
	for name, line := range map[string]string{
		"_meta":               submit(`,"_meta":` + numbers),
		"_meta of status":     call("status", `{"id":"018f0000-0000-4000-8000-00000000000a","_meta":`+numbers+`}`),
		"labels":              submit(`,"labels":` + texts),
		"labels that are not": submit(`,"labels":` + numbers),
		"labels of list":      call("list", `{"labels":`+texts+`}`),
		"labels of subscribe": call("subscribe", `{"labels":`+texts+`}`),
		"params of submit":    submit("," + numbers[1:len(numbers)-1]),
		"params of wait":      call("wait", numbers),
		"types of list":       call("list", `{"types":[`+list+`]}`),
		"states of list":      call("list", `{"states":[`+strings.ReplaceAll(list, "a", "queued")+`]}`),
		"events of submit":    submit(`,"events":[` + list + `]`),
		"ids of wait":         call("wait", `{"ids":[`+list+`]}`),
		"input":               submit(`,"input":` + numbers),
		"input, and labels":   submit(`,"labels":{"a":"b"},"input":` + numbers),
		"the top level":       `{"jsonrpc":"2.0","id":1,"method":"types",` + numbers[1:],
		"a batch":             "[" + list + "]",
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, server(t, 1), rpc.Options{})
			p.send(`{"jsonrpc":"2.0","id":0,"method":"types"}`)
			p.next()
			line := []byte(line + "\n")
			var m message
			most := peak(func() {
				go func() { _, _ = p.conn.Write(line) }()
				m = p.next()
			})
			require.NotEmpty(t, m.ID)
			t.Logf("%.1f times the text", float64(most)/float64(len(line)))
			require.Less(t, float64(most)/float64(len(line)), 4.0)
			p.conn.Close()
		})
	}
}
