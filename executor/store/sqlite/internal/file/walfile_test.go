package file

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// systemFile is a file of the system as far as a log needs one.
type systemFile struct {
	*os.File
	locks
}

type locks struct{ vfs.File }

func (f systemFile) Close() error                            { return f.File.Close() }
func (f systemFile) ReadAt(p []byte, at int64) (int, error)  { return f.File.ReadAt(p, at) }
func (f systemFile) WriteAt(p []byte, at int64) (int, error) { return f.File.WriteAt(p, at) }
func (f systemFile) Truncate(size int64) error               { return f.File.Truncate(size) }
func (f systemFile) Sync(vfs.SyncFlag) error                 { return f.File.Sync() }

func (f systemFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// TestWALFileIsWrittenInTime holds a log that gathers writes against what was written to it:
// who reads through it sees all of it at any time, and who reads the file by another way sees
// all of it when it was synced and when a commit is whole.
func TestWALFileIsWrittenInTime(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "log-wal")
		require.NoError(t, os.RemoveAll(path))
		opened, err := os.Create(path)
		require.NoError(t, err)
		f := &walFile{File: systemFile{File: opened}}
		defer f.Close()
		var want []byte
		write := func(p []byte, at int64) {
			n, err := f.WriteAt(p, at)
			require.NoError(t, err)
			require.Equal(t, len(p), n)
			if end := at + int64(len(p)); end > int64(len(want)) {
				want = append(want, make([]byte, end-int64(len(want)))...)
			}
			copy(want[at:], p)
		}
		onDisk := func() {
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, string(got) == string(want))
		}
		bytes := func(n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes") }
		frame := func(at int64, ends uint32) {
			if at == 0 { // a log begins with a header of its own
				write(bytes(32), 0)
				at = 32
			}
			header := bytes(FrameHeaderSize)
			binary.BigEndian.PutUint32(header[4:], ends)
			write(header, at)
			write(make([]byte, rapid.SampledFrom([]int{512, 4096, maxGathered, maxGathered + 1}).Draw(t, "page")), at+FrameHeaderSize)
		}
		somewhere := func() int64 { return int64(rapid.IntRange(0, len(want)).Draw(t, "at")) }
		t.Repeat(map[string]func(*rapid.T){
			"frames": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					frame(int64(len(want)), 0)
				}
			},
			"commit":    func(*rapid.T) { frame(int64(len(want)), 7); onDisk() },
			"rewrite":   func(*rapid.T) { write(bytes(8), somewhere()) },
			"again":     func(*rapid.T) { frame(32, 0) },
			"beginning": func(*rapid.T) { write(bytes(32), 0); onDisk() },
			"sync":      func(t *rapid.T) { require.NoError(t, f.Sync(vfs.SYNC_FULL)); onDisk() },
			"truncate": func(t *rapid.T) {
				at := somewhere()
				require.NoError(t, f.Truncate(at))
				want = want[:at:at]
				onDisk()
			},
			"size": func(t *rapid.T) {
				n, err := f.Size()
				require.NoError(t, err)
				require.EqualValues(t, len(want), n)
			},
			"read": func(t *rapid.T) {
				at, got := somewhere(), make([]byte, 5000)
				n, err := f.ReadAt(got, at)
				if !errors.Is(err, io.EOF) {
					require.NoError(t, err)
				}
				require.True(t, string(want[at:min(at+5000, int64(len(want)))]) == string(got[:n]))
			},
		})
	})
}
