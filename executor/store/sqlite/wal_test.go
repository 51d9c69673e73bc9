package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// scanOf is what file.ScanWAL says of a log beside the file.
func (l *leftLog) scanOf(t *testing.T, wal []byte) file.WALDamage {
	t.Helper()
	require.NoError(t, os.WriteFile(l.path, l.main, 0o600))
	require.NoError(t, os.WriteFile(l.path+"-wal", wal, 0o600))
	d, err := file.ScanWAL(l.path)
	require.NoError(t, err)
	return d
}

func (l *leftLog) frames() int { return (len(l.wal) - file.WALHeaderSize) / frameSize }

// lastCommit is the number of the frame that ends the last commit.
func (l *leftLog) lastCommit() int {
	return (l.commits[len(l.commits)-1] - file.WALHeaderSize) / frameSize
}

// TestACutLogIsUsual has a log that ends at each frame, and within each.
func TestACutLogIsUsual(t *testing.T) {
	t.Parallel()
	l := newLeftLog(t)
	require.Zero(t, l.scanOf(t, l.wal))
	for _, n := range []int{0, 1, file.WALHeaderSize - 1} {
		require.Zero(t, l.scanOf(t, l.wal[:n]))
	}
	for n := range l.frames() {
		at := int(file.FrameAt(n+1, smallPage))
		for _, size := range []int{at, at + 1, at + file.FrameHeaderSize, at + file.FrameHeaderSize + 1, at + frameSize - 1} {
			require.Zero(t, l.scanOf(t, l.wal[:size]), "cut to %d", size)
			torn := append(bytes.Clone(l.wal[:size]), make([]byte, 3*frameSize)...)
			require.Zero(t, l.scanOf(t, torn), "cut to %d, with nothing behind", size)
		}
	}
}

// TestADamagedLogIsFound has a bit flipped in each field of the header and of
// each frame: what is behind that frame and was committed is counted.
func TestADamagedLogIsFound(t *testing.T) {
	t.Parallel()
	l := newLeftLog(t)
	for field, at := range map[string]int{
		"magic": 0, "format": 4, "page size": 11, "checkpoint": 12, "salt 1": 16, "salt 2": 20, "checksum 1": 24, "checksum 2": 28,
	} {
		wal := bytes.Clone(l.wal)
		wal[at] ^= 2
		require.Equal(t, file.WALDamage{Frame: 0, Behind: l.lastCommit()}, l.scanOf(t, wal), field)
	}
	fields := map[string]int{
		"page": 3, "size": 7, "salt 1": 8, "salt 2": 12, "checksum 1": 16, "checksum 2": 20, "first byte": file.FrameHeaderSize, "last byte": frameSize - 1,
	}
	for n := 1; n <= l.frames(); n++ {
		for field, at := range fields {
			wal := bytes.Clone(l.wal)
			wal[int(file.FrameAt(n, smallPage))+at] ^= 0x40
			want := file.WALDamage{Frame: n, Behind: l.lastCommit() - n}
			if n >= l.lastCommit() { // nothing follows that somebody was told of
				want = file.WALDamage{}
			}
			require.Equal(t, want, l.scanOf(t, wal), "frame %d, %s", n, field)
		}
	}
}

// TestALogBehindAnother has a log over the beginning of one that was there
// before, whose frames are no part of it.
func TestALogBehindAnother(t *testing.T) {
	t.Parallel()
	old, l := newLeftLog(t), newLeftLog(t)
	for n := range l.frames() {
		wal := append(bytes.Clone(l.wal[:file.FrameAt(n+1, smallPage)]), old.wal[min(len(old.wal), int(file.FrameAt(n+1, smallPage))):]...)
		require.Zero(t, l.scanOf(t, wal), "%d frames are new", n)
	}
}

// rawLog is a connection to a new file.
func rawLog(tb testing.TB) (*file.Conn, string) {
	path := filepath.Join(tb.TempDir(), "tasks.db")
	_, err := disk.CreateFiles(path)
	require.NoError(tb, err)
	c, err := file.DialWriter(path, "", "OFF", true)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	require.NoError(tb, c.Exec("CREATE TABLE a(b)"))
	return c, path
}

// TestATransactionThatWasTakenBack leaves frames behind the next one's that
// nobody was told of.
func TestATransactionThatWasTakenBack(t *testing.T) {
	t.Parallel()
	c, path := rawLog(t)
	require.NoError(t, c.Exec("PRAGMA cache_size=2; BEGIN"))
	for range 20 {
		require.NoError(t, c.Run("INSERT INTO a VALUES(randomblob(5000))"))
	}
	require.NoError(t, c.Exec("ROLLBACK; INSERT INTO a VALUES(1)"))
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Greater(t, info.Size(), file.FrameAt(c.WALPages+10, 4096))
	d, err := file.ScanWAL(path)
	require.NoError(t, err)
	require.Zero(t, d)
}

// TestALogThatIsWrittenMeanwhile has it grow and begin anew while it is read.
func TestALogThatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	c, path := rawLog(t)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		defer close(over)
		for n := 0; n < 3000 && ctx.Err() == nil; n++ {
			err := c.Run("INSERT INTO a VALUES(randomblob(9000))")
			if err == nil && n%300 == 299 {
				_, _, err = c.WALCheckpoint("", sqlite3.CHECKPOINT_PASSIVE)
			}
			if err != nil {
				over <- err
				return
			}
		}
	}()
	t.Cleanup(func() { // before the connection is closed
		stop()
		require.NoError(t, <-over)
	})
	for {
		d, err := file.ScanWAL(path)
		require.NoError(t, err)
		require.Zero(t, d)
		select {
		case err := <-over:
			require.NoError(t, err)
			return
		default:
		}
	}
}

// TestADamagedLogIsKept has a killed server's log with a wrong bit: the next
// server says so, and keeps it.
func TestADamagedLogIsKept(t *testing.T) {
	path, _ := killed(t)
	wal, err := os.ReadFile(path + "-wal")
	require.NoError(t, err)
	wal[file.FrameAt(3, 4096)+file.FrameHeaderSize+17] ^= 1
	require.NoError(t, os.WriteFile(path+"-wal", wal, 0o600))
	found := findings(t, path)
	require.NotEmpty(t, found)
	require.Contains(t, found[0], "the write-ahead log is not whole at frame 3, and ")
	var logged strings.Builder
	o := Options{Path: path, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Contains(t, logged.String(), "level=WARN msg=\""+found[0])
	kept, err := filepath.Glob(path + "-wal.damaged-*")
	require.NoError(t, err)
	require.Len(t, kept, 1)
	b, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	require.Equal(t, wal, b)
	info, err := os.Stat(kept[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	logged.Reset()
	s, err = Open(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NotContains(t, logged.String(), "level=WARN")
}

// TestALogThatCannotBeKept has a name that is too long with more behind it: the
// log is left as it is.
func TestALogThatCannotBeKept(t *testing.T) {
	path, _ := killed(t)
	long := filepath.Join(filepath.Dir(path), strings.Repeat("x", 240))
	require.NoError(t, os.Rename(path, long))
	require.NoError(t, os.Rename(path+"-wal", long+"-wal"))
	wal, err := os.ReadFile(long + "-wal")
	require.NoError(t, err)
	wal[file.FrameAt(3, 4096)+file.FrameHeaderSize] ^= 1
	require.NoError(t, os.WriteFile(long+"-wal", wal, 0o600))
	require.ErrorContains(t, refused(t, long), "make that possible, or remove "+long+"-wal")
	left, err := os.ReadFile(long + "-wal")
	require.NoError(t, err)
	require.Equal(t, wal, left)
}

// BenchmarkScanLog measures what is added to a start beside a log of a size that
// is usual, and one as long as a log gets where nobody reads.
func BenchmarkScanLog(b *testing.B) {
	for _, size := range []int64{4 << 20, 64 << 20} {
		b.Run(fmt.Sprint(size>>20, " MiB"), func(b *testing.B) {
			c, path := rawLog(b)
			for int64(c.WALPages)*4096 < size {
				require.NoError(b, c.Run("INSERT INTO a VALUES(randomblob(1000000))"))
			}
			b.SetBytes(size)
			for b.Loop() {
				d, err := file.ScanWAL(path)
				require.NoError(b, err)
				require.Zero(b, d)
			}
		})
	}
}
