package faultvfs

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plain is a real file.
type plain struct{ *os.File }

func (p plain) Size() (int64, error) { return p.Seek(0, io.SeekEnd) }

func (p plain) all(t require.TestingT) []byte {
	data, err := os.ReadFile(p.Name())
	require.NoError(t, err)
	return data
}

func openPlain(t *testing.T) plain {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return plain{f}
}

func testCache(early float64, sector int, seed uint64) *cache {
	return newCache(0, Options{Early: early, Sector: sector}, rand.New(rand.NewPCG(seed, 0)))
}

func readAll(t require.TestingT, c *cache, f file) []byte {
	data := bytes.Repeat([]byte("?"), int(c.size)+1)
	n, err := c.read(f, data, 0)
	require.ErrorIs(t, err, io.EOF)
	return data[:n]
}

// model is what a file should be, and what the disk may have of it.
type model struct {
	data []byte
	// versions are, by sector, all that it was since the latest sync.
	versions map[int64][][]byte
}

func (m *model) sector(i int64, unit int) []byte {
	s := make([]byte, unit)
	if at := i * int64(unit); at < int64(len(m.data)) {
		copy(s, m.data[at:])
	}
	return s
}

// possible reports whether a disk can have a sector: a version of it, which a
// truncation may have shortened.
func possible(versions [][]byte, s []byte) bool {
	return slices.ContainsFunc(versions, func(v []byte) bool {
		k := 0
		for k < len(s) && s[k] == v[k] {
			k++
		}
		return len(bytes.Trim(s[k:], "\x00")) == 0
	})
}

func TestCacheIsAFileOfWhichTheDiskHasSome(t *testing.T) {
	const unit, sectors = 8, 12
	f := openPlain(t)
	rapid.Check(t, func(t *rapid.T) {
		require.NoError(t, f.Truncate(0))
		c := testCache(rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(t, "early"), unit, rapid.Uint64().Draw(t, "seed"))
		m := model{versions: map[int64][][]byte{}}
		synced := func() {
			for i := range int64(sectors) {
				m.versions[i] = [][]byte{m.sector(i, unit)}
			}
		}
		synced()
		grow := func(size int) { m.data = append(m.data, make([]byte, max(0, size-len(m.data)))...) }
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := rapid.IntRange(0, (sectors-4)*unit).Draw(t, "off")
				p := rapid.SliceOfN(rapid.ByteRange(1, 255), 1, 4*unit).Draw(t, "data")
				n, err := c.write(f, p, int64(off))
				require.NoError(t, err)
				require.Equal(t, len(p), n)
				grow(off + len(p))
				copy(m.data[off:], p)
			},
			"truncate": func(t *rapid.T) {
				size := rapid.IntRange(0, sectors*unit).Draw(t, "size")
				require.NoError(t, c.truncate(f, int64(size)))
				grow(size)
				m.data = m.data[:size]
			},
			"sync": func(t *rapid.T) {
				require.NoError(t, c.flush(f))
				require.Equal(t, string(m.data), string(f.all(t)))
				require.True(t, c.idle(f))
				synced()
			},
			"read": func(t *rapid.T) {
				off := rapid.IntRange(0, sectors*unit).Draw(t, "off")
				p := bytes.Repeat([]byte("?"), rapid.IntRange(1, 3*unit).Draw(t, "length"))
				n, err := c.read(f, p, int64(off))
				rest := m.data[min(off, len(m.data)):]
				require.Equal(t, string(rest[:min(len(rest), len(p))]), string(p[:n]))
				require.Equal(t, n < len(p), err == io.EOF)
			},
			"": func(t *rapid.T) {
				require.Equal(t, string(m.data), string(readAll(t, c, f)))
				disk := model{data: f.all(t)}
				require.LessOrEqual(t, len(disk.data), sectors*unit)
				for i := range int64(sectors) {
					m.versions[i] = append(m.versions[i], m.sector(i, unit))
					require.True(t, possible(m.versions[i], disk.sector(i, unit)),
						"sector %d is %v, and was one of %v", i, disk.sector(i, unit), m.versions[i])
				}
			},
		})
	})
}

func TestEarly(t *testing.T) {
	const pages, page = 1000, 4096
	for _, c := range []struct {
		sector   int
		early    float64
		from, to int // sectors of the disk
		torn     bool
	}{
		{512, 0.3, 2300, 2500, true},
		{page, 0.3, 270, 330, false},
		{512, 0, 0, 0, false},
		{512, 1, 8000, 8000, false},
	} {
		f, cache := openPlain(t), testCache(c.early, c.sector, 1)
		whole := bytes.Repeat([]byte{1}, page)
		for i := range int64(pages) {
			_, err := cache.write(f, whole, i*page)
			require.NoError(t, err)
		}
		disk := append(f.all(t), make([]byte, pages*page)...)[:pages*page]
		landed, torn, ahead := 0, 0, false
		for p := range slices.Chunk(disk, page) {
			n := 0
			for s := range slices.Chunk(p, c.sector) {
				switch {
				case bytes.Equal(s, whole[:c.sector]):
					n++
				default:
					require.Equal(t, make([]byte, c.sector), s)
					ahead = true
				}
			}
			if landed += n; n > 0 && n < page/c.sector {
				torn++
			}
		}
		require.GreaterOrEqual(t, landed, c.from, "%+v", c)
		require.LessOrEqual(t, landed, c.to, "%+v", c)
		require.Equal(t, c.torn, torn > 0, "%+v", c)
		require.Equal(t, c.early < 1, ahead, "%+v", c)
	}
}

// The order is random: what came first may be the last to land.
func TestEarlyIsInNoOrder(t *testing.T) {
	f, c := openPlain(t), testCache(0.5, 1, 1)
	_, err := c.write(f, bytes.Repeat([]byte{1}, 100), 0)
	require.NoError(t, err)
	before := bytes.Count(f.all(t), []byte{1})
	_, err = c.write(f, bytes.Repeat([]byte{2}, 100), 100)
	require.NoError(t, err)
	require.Greater(t, bytes.Count(f.all(t), []byte{1}), before)
	require.Greater(t, bytes.Count(f.all(t), []byte{2}), 10)
}

func TestATruncationIsLostOrEarly(t *testing.T) {
	for _, size := range []int64{5, 11} {
		f, c := openPlain(t), testCache(0, 4, 1)
		_, err := c.write(f, []byte("aaaabbbb"), 0)
		require.NoError(t, err)
		require.NoError(t, c.flush(f))
		require.NoError(t, c.truncate(f, size))
		require.Equal(t, "aaaabbbb", string(f.all(t)))
		require.False(t, c.idle(f), "a sync has something to do")
	}
	f, c := openPlain(t), testCache(1, 4, 1)
	_, err := c.write(f, []byte("aaaabbbb"), 0)
	require.NoError(t, err)
	require.NoError(t, c.truncate(f, 5))
	require.Equal(t, "aaaab", string(f.all(t)))
}

// A sector lands whole, with the end that a truncation gave it.
func TestASectorLandsWithItsTruncation(t *testing.T) {
	f, c := openPlain(t), testCache(0, 4, 1)
	_, err := c.write(f, []byte("aaaabbbb"), 0)
	require.NoError(t, err)
	require.NoError(t, c.flush(f))
	require.NoError(t, c.truncate(f, 6))
	require.Equal(t, "aaaabbbb", string(f.all(t)))
	_, err = c.write(f, []byte("c"), 4)
	require.NoError(t, err)
	require.NoError(t, c.land(f, 0))
	require.Equal(t, "aaaacb", string(f.all(t)))
}

func TestALostSectorIsReadAndNotSaved(t *testing.T) {
	page := func(b byte) []byte { return bytes.Repeat([]byte{b}, 4) }
	f, c := openPlain(t), testCache(0, 4, 1)
	write := func(b byte, off int64) {
		_, err := c.write(f, page(b), off)
		require.NoError(t, err)
	}
	write('a', 0)
	write('b', 4)
	require.NoError(t, c.flush(f))
	write('A', 0)
	write('C', 8)
	require.NoError(t, c.lose(f))
	require.Equal(t, "AAAAbbbbCCCC", string(readAll(t, c, f)))
	write('B', 4)
	write('d', 12)
	require.NoError(t, c.flush(f))
	require.Equal(t, "aaaaBBBB\x00\x00\x00\x00dddd", string(f.all(t)), "the lost sectors are not saved")
	require.Equal(t, "AAAABBBBCCCCdddd", string(readAll(t, c, f)))
	require.False(t, c.idle(f))

	_, err := c.write(f, []byte("x"), 9)
	require.NoError(t, err)
	require.NoError(t, c.flush(f))
	require.Equal(t, "aaaaBBBBCxCCdddd", string(f.all(t)), "written again, a sector is saved")
	c.evict()
	require.Equal(t, "aaaaBBBBCxCCdddd", string(readAll(t, c, f)))
	require.True(t, c.idle(f))
}

func TestAFailedSyncSavesSome(t *testing.T) {
	f, c := openPlain(t), testCache(0, 1, 1)
	_, err := c.write(f, bytes.Repeat([]byte{1}, 1000), 0)
	require.NoError(t, err)
	c.options.Early = 0.3
	require.NoError(t, c.lose(f))
	require.InDelta(t, 300, bytes.Count(f.all(t), []byte{1}), 50)
	require.NoError(t, c.flush(f))
	require.InDelta(t, 300, bytes.Count(f.all(t), []byte{1}), 50)
	require.Len(t, readAll(t, c, f), 1000)
}
