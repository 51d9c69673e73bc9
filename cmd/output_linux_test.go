package cmd

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// lines is how many lines the tests of output pipe through: some 54 MB, which
// is fifty times what a server keeps.
const lines = 7_000_000

// digestOfLines is what seq writes.
func digestOfLines(last int) string {
	sum := md5.New()
	var line []byte
	for n := 1; n <= last; n++ {
		line = append(strconv.AppendInt(line[:0], int64(n), 10), '\n')
		_, _ = sum.Write(line)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// TestRunPassesOnEveryByte pipes what no server keeps, on either stream.
func TestRunPassesOnEveryByte(t *testing.T) {
	want := digestOfLines(lines)
	for name, script := range map[string]string{
		"stdout": `jobline run exec -o -- seq 1 ` + strconv.Itoa(lines) + ` | md5sum`,
		"stderr": `jobline run exec -q -o -- sh -c 'seq 1 ` + strconv.Itoa(lines) + ` >&2' 2>&1 >/dev/null | md5sum`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, want, strings.Fields(string(out))[0])
		})
	}
}

// TestAFullDiskIsSaid prints to a file that takes nothing.
func TestAFullDiskIsSaid(t *testing.T) {
	for _, args := range []string{"", "--help", "help run", "store", "version", "--version", "types", "types --json", "completion bash", "completion"} {
		t.Run(args, func(t *testing.T) {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			require.NoError(t, err)
			defer full.Close()
			var stderr strings.Builder
			c := exec.CommandContext(t.Context(), "jobline", strings.Fields(args)...)
			c.Stdout, c.Stderr = full, &stderr
			var failed *exec.ExitError
			require.ErrorAs(t, c.Run(), &failed)
			require.Equal(t, 1, failed.ExitCode())
			said := stderr.String()
			require.True(t, strings.HasSuffix(said, "no space left on device\n") && strings.HasPrefix(said, "jobline: "), said)
			require.Equal(t, 1, strings.Count(said, "\n"), said)
		})
	}
}

// BenchmarkOutput is how fast a file comes through cat alone, and through run,
// to a file that takes everything. Text goes as it is, other bytes as base64.
func BenchmarkOutput(b *testing.B) {
	const size = 64 << 20
	for name, unit := range map[string]string{"text": "0123456789abcde\n", "bytes": "\xff\xfe\x00\x01\x80\x81\x82\x83"} {
		file := filepath.Join(b.TempDir(), name)
		require.NoError(b, os.WriteFile(file, bytes.Repeat([]byte(unit), size/len(unit)), 0o600))
		for how, argv := range map[string][]string{
			"cat": {"cat", file}, "run": {"jobline", "run", "exec", "-o", "--", "cat", file},
		} {
			b.Run(name+"/"+how, func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					c := exec.CommandContext(b.Context(), "sh", append([]string{"-c", `"$@" >/dev/null`, "sh"}, argv...)...)
					require.NoError(b, c.Run())
				}
			})
		}
	}
}

// TestLosslessOutputOfAServer is of a driver that asks for all of both streams
// of two commands at once, from each store.
func TestLosslessOutputOfAServer(t *testing.T) {
	const last = 1_700_000 // 12 MB; four streams have it
	want := digestOfLines(last)
	for _, store := range []string{"", "tasks.db"} {
		t.Run("store="+store, func(t *testing.T) {
			args := []string{"serve", "--limit=2", "--keep=1"}
			if store != "" {
				args = append(args, "--store", filepath.Join(t.TempDir(), store))
			}
			c, err := client.Spawn(t.Context(), exec.Command("jobline", args...))
			require.NoError(t, err)
			input := fmt.Appendf(nil, `{"argv":["sh","-c","seq 1 %d & seq 1 %[1]d >&2; wait"]}`, last)
			sums := map[uuid.UUID]*[2]hash.Hash{}
			for range 2 {
				id := uuid.New()
				sums[id] = &[2]hash.Hash{md5.New(), md5.New()}
				_, err := c.Submit(t.Context(), schema.SubmitParams{Type: "exec", ID: id, Input: input, Output: schema.OutputLossless})
				require.NoError(t, err)
			}
			ended := 0
			for ev := range c.Events(t.Context()) {
				if o := ev.Output; o != nil {
					require.Zero(t, o.Gap)
					data, err := decodeOutput(o.Data, o.Encoding)
					require.NoError(t, err)
					sums[o.ID][o.Stream].Write(data)
				}
				if ev.Finished != nil {
					require.Equal(t, schema.Completed, ev.Finished.State)
					if ended++; ended == 2 {
						break
					}
				}
			}
			for _, two := range sums {
				require.Equal(t, [2]string{want, want}, [2]string{fmt.Sprintf("%x", two[0].Sum(nil)), fmt.Sprintf("%x", two[1].Sum(nil))})
			}
			require.NoError(t, c.Close())
		})
	}
}

// unreadMost is how much a server may take more than when it is idle, in kB,
// whatever its client has submitted and does not read.
const unreadMost = 200 << 10

// TestMemoryOfAServerThatNobodyReads submits commands that write a gigabyte
// together, with the default events, and reads nothing.
func TestMemoryOfAServerThatNobodyReads(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a thousand processes")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc to read the memory of a process from")
	}
	const tasks = 500
	for _, store := range []string{"", "tasks.db"} {
		t.Run("store="+store, func(t *testing.T) {
			args := []string{"serve", "--limit=4"}
			if store != "" {
				args = append(args, "--store", filepath.Join(t.TempDir(), store))
			}
			server := exec.CommandContext(t.Context(), "jobline", args...)
			in, err := server.StdinPipe()
			require.NoError(t, err)
			_, err = server.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, server.Start())
			done := filepath.Join(t.TempDir(), "done")
			for range tasks {
				_, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","method":"submit","params":{"type":"exec","input":{"argv":["sh","-c","head -c 2000000 /dev/zero; echo >>%s"]}}}`+"\n", done)
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool {
				ended, _ := os.ReadFile(done)
				return bytes.Count(ended, []byte("\n")) == tasks
			}, 5*time.Minute, 50*time.Millisecond)
			require.Less(t, residentOf(t, server.Process.Pid), unreadMost*memoryFactor)
			require.NoError(t, server.Process.Kill())
			require.Error(t, server.Wait())
		})
	}
}

// residentOf is the most memory that a process ever had, in kB.
func residentOf(t *testing.T, pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return n
		}
	}
	require.Fail(t, "VmHWM is missing")
	return 0
}
