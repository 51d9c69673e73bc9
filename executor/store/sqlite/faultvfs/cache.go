package faultvfs

import (
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// file is what a cache needs of a real file.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Size() (int64, error)
}

// cache is the page cache of one file: what is read and not, or not yet, in
// the real file. The lock of the VFS protects it.
type cache struct {
	options Options
	random  *rand.Rand
	users   int   // open handles
	size    int64 // as it is read

	// limit is where a truncation that has not reached the real file ends it:
	// what the real file has from there on is not to be read. Bytes of the real
	// file below the limit are below size, too.
	limit   int64
	sectors map[int64]*sector // by number
	dirty   []int64           // the numbers of those that a sync writes, in no order
}

const noLimit = math.MaxInt64

// sector is a piece of a file; its bytes past the file's end are zero.
type sector struct {
	data  []byte
	dirty bool // or lost: a failed sync has dropped it, it is read, and no sync writes it
}

func newCache(size int64, o Options, random *rand.Rand) *cache {
	return &cache{options: o, random: random, size: size, limit: noLimit, sectors: map[int64]*sector{}}
}

// unit is the bytes of a sector.
func (c *cache) unit() int64 { return int64(c.options.Sector) }

// early decides the fate of one thing that was not synced.
func (c *cache) early() bool { return c.random.Float64() < c.options.Early }

func (c *cache) read(f file, p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), c.size)
	q, n := p[:end-off], 0
	if off < c.limit {
		var err error
		if n, err = f.ReadAt(q[:min(end, c.limit)-off], off); err != nil && err != io.EOF {
			return 0, err
		}
	}
	clear(q[n:])
	if len(c.sectors) > 0 {
		for i := off / c.unit(); i*c.unit() < end; i++ {
			if s := c.sectors[i]; s != nil {
				overlay(q, off, s.data, i*c.unit())
			}
		}
	}
	if len(q) < len(p) {
		return len(q), io.EOF
	}
	return len(q), nil
}

// overlay copies what is common to two pieces of a file, which begin at the
// offsets at and from.
func overlay(dst []byte, at int64, src []byte, from int64) {
	if from > at {
		copy(dst[from-at:], src)
	} else {
		copy(dst, src[at-from:])
	}
}

func (c *cache) write(f file, p []byte, off int64) (int, error) {
	end, written := off+int64(len(p)), 0
	for i := off / c.unit(); i*c.unit() < end; i++ {
		s, at := c.sectors[i], i*c.unit()
		if s == nil {
			s = &sector{data: make([]byte, c.unit())}
			if off > at || end < at+c.unit() { // some of it stays
				if _, err := c.read(f, s.data, at); err != nil && err != io.EOF {
					return 0, err
				}
			}
			c.sectors[i] = s
		}
		overlay(s.data, at, p, off)
		if !s.dirty {
			s.dirty = true
			c.dirty = append(c.dirty, i)
		}
		written++
	}
	if len(p) > 0 {
		c.size = max(c.size, end)
	}
	for range written {
		if len(c.dirty) > 0 && c.early() {
			if err := c.land(f, c.random.IntN(len(c.dirty))); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// land writes the dirty sector at a place to the real file.
func (c *cache) land(f file, place int) error {
	i := c.dirty[place]
	at := i * c.unit()
	end := min(at+c.unit(), c.size)
	if at+c.unit() > c.limit { // or it would not be whole
		if err := c.settle(f); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(c.sectors[i].data[:end-at], at); err != nil {
		return err
	}
	c.clean(place)
	delete(c.sectors, i)
	return nil
}

// clean takes the sector at a place from those that a sync writes.
func (c *cache) clean(place int) {
	last := len(c.dirty) - 1
	c.sectors[c.dirty[place]].dirty = false
	c.dirty[place] = c.dirty[last]
	c.dirty = c.dirty[:last]
}

func (c *cache) truncate(f file, size int64) error {
	if size < c.size {
		c.limit = min(c.limit, size)
		gone := func(i int64) bool { return i*c.unit() >= size }
		c.dirty = slices.DeleteFunc(c.dirty, gone)
		maps.DeleteFunc(c.sectors, func(i int64, _ *sector) bool { return gone(i) })
		if s := c.sectors[size/c.unit()]; s != nil {
			clear(s.data[size%c.unit():])
		}
	}
	c.size = size
	if c.early() {
		return c.settle(f)
	}
	return nil
}

// settle has a truncation reach the real file.
func (c *cache) settle(f file) error {
	size, err := f.Size()
	if err == nil && size > c.limit {
		err = f.Truncate(c.limit)
	}
	if err == nil {
		c.limit = noLimit
	}
	return err
}

// flush is a sync: the real file gets all that was not lost.
func (c *cache) flush(f file) error {
	if err := c.settle(f); err != nil {
		return err
	}
	for len(c.dirty) > 0 {
		if err := c.land(f, c.random.IntN(len(c.dirty))); err != nil {
			return err
		}
	}
	size, err := f.Size()
	if err == nil && size < c.size {
		err = f.Truncate(c.size)
	}
	return err
}

// lose is a sync that fails.
func (c *cache) lose(f file) error {
	for place := len(c.dirty) - 1; place >= 0; place-- {
		if !c.early() {
			c.clean(place)
		} else if err := c.land(f, place); err != nil {
			return err
		}
	}
	return nil
}

// evict forgets what was lost.
func (c *cache) evict() {
	maps.DeleteFunc(c.sectors, func(_ int64, s *sector) bool { return !s.dirty })
}

// idle reports whether the real file reads as the cache does.
func (c *cache) idle(f file) bool {
	size, err := f.Size()
	return err == nil && size == c.size && len(c.sectors) == 0
}
