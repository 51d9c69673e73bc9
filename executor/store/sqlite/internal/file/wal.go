package file

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// A write-ahead log is a header and frames, each a header and a page
// (sqlite.org/fileformat2.html#walformat). Sizes are in bytes.
const (
	WALHeaderSize   = 32
	FrameHeaderSize = 24
	walMagic        = 0x377f0682 // one more where the checksums are of big-endian numbers
	walFormat       = 3007000
)

// FrameAt is the offset of frame n. The first frame is 1.
func FrameAt(n int, page int64) int64 { return WALHeaderSize + int64(n-1)*(FrameHeaderSize+page) }

// saltsOf are the salts in the header of a log. All frames of the log have the same salts; frames
// that are left of an earlier log have others.
func saltsOf(header []byte) []byte { return header[16:24] }

func frameSalts(frame []byte) string { return string(frame[8:16]) }

// ends reports whether a frame is the last one of a commit.
func ends(frame []byte) bool { return binary.BigEndian.Uint32(frame[4:]) != 0 }

// walSum is the running checksum of a log: each frame continues that of the frame before.
type walSum struct {
	big  bool // it is of big-endian numbers
	a, b uint32
}

func (s *walSum) add(p []byte) {
	a, b := s.a, s.b
	for ; len(p) >= 8; p = p[8:] {
		x, y := binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[4:])
		if s.big {
			x, y = bits.ReverseBytes32(x), bits.ReverseBytes32(y)
		}
		a += x + b
		b += y + a
	}
	s.a, s.b = a, b
}

// is reports whether the checksum equals the stored one.
func (s *walSum) is(stored []byte) bool {
	return s.a == binary.BigEndian.Uint32(stored) && s.b == binary.BigEndian.Uint32(stored[4:])
}

// WALDamage is a frame at which SQLite stops reading the log, although commits of the same log
// follow. The zero value is no damage. A log whose end is cut off is no damage: every killed
// process can leave one.
type WALDamage struct {
	Frame  int // 0 is the header
	Behind int // how many frames follow, up to the last that ends a commit
}

func (d WALDamage) String() string {
	return fmt.Sprintf("the write-ahead log is not whole at frame %d, and %d frames follow: it was damaged, and what they record is lost, or the power failed while they were written, and nobody was told of it", d.Frame, d.Behind)
}

// ScanWAL reads the log of a store as SQLite does when it opens one. If it finds damage it reads
// the log again, because a server may have been writing that frame. It reports only damage that is
// in the same place of the same log both times.
func ScanWAL(path string) (WALDamage, error) {
	first, err := scanWALOnce(path)
	if err != nil || first.damage == (WALDamage{}) {
		return WALDamage{}, err
	}
	second, err := scanWALOnce(path)
	if err != nil || second.damage.Frame != first.damage.Frame || second.header != first.header {
		return WALDamage{}, err
	}
	return second.damage, nil
}

// walHeader is the header of a log. SQLite writes another one, with other salts, when it starts the
// log anew, and does so before it writes the first frame.
type walHeader [WALHeaderSize]byte

// scannedWAL is what one reading of a log found.
type scannedWAL struct {
	header walHeader
	damage WALDamage
}

// scanWALOnce finds no damage in a log that is started anew while it is read: frames of the log before
// would seem to follow.
func scanWALOnce(path string) (scanned scannedWAL, err error) {
	f, err := disk.OpenToRead(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return scanned, nil
	}
	if err != nil {
		return scanned, err
	}
	defer f.Close()
	header, err := readWALHeader(f)
	if err == io.EOF {
		return scanned, nil
	}
	if err != nil {
		return scanned, err
	}
	damage, err := scanFrames(f, path, header)
	if err != nil || damage == (WALDamage{}) {
		return scanned, err
	}
	after, err := readWALHeader(f)
	if err == io.EOF || after != header {
		return scanned, nil
	}
	return scannedWAL{header, damage}, err
}

// readWALHeader returns io.EOF for a log that is shorter than its header.
func readWALHeader(f io.ReaderAt) (h walHeader, err error) {
	if n, err := f.ReadAt(h[:], 0); n < len(h) {
		return h, err
	}
	return h, nil
}

// scanFrames reads the frames behind the header.
func scanFrames(f io.ReaderAt, path string, header walHeader) (d WALDamage, err error) {
	scan := walScan{bad: -1}
	if err := scan.begin(path, header[:]); err != nil {
		return d, err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, WALHeaderSize, 1<<62), 1<<18)
	frame := make([]byte, FrameHeaderSize+scan.page)
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, frame); err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return d, err
		}
		scan.frame(n, frame)
	}
	if scan.last > scan.bad && scan.bad >= 0 {
		d = WALDamage{scan.bad, scan.last - scan.bad}
	}
	return d, nil
}

// walScan is the state of a scan.
type walScan struct {
	walSum
	page  int
	salts string // "" is not known yet
	bad   int    // the first frame that is not whole; -1 is none
	last  int    // the last that ends a commit of this log
}

// begin reads the header of the log. If the header is damaged, the page size comes from the main
// file, and the salts come from the first frame.
func (s *walScan) begin(path string, header []byte) error {
	number := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	s.big = number(0) == walMagic+1
	s.add(header[:24])
	if s.is(header[24:]) && number(0)|1 == walMagic|1 && number(4) == walFormat && isPageSize(int(number(8))) {
		s.page, s.salts = int(number(8)), string(saltsOf(header))
		return nil
	}
	s.bad = 0
	var err error
	s.page, err = pageSize(path)
	return err
}

// frame reads frame n.
func (s *walScan) frame(n int, b []byte) {
	if s.salts == "" {
		s.salts = frameSalts(b)
	}
	ours := frameSalts(b) == s.salts
	if ours && ends(b) {
		s.last = n
	}
	if s.bad >= 0 {
		return
	}
	s.add(b[:8])
	s.add(b[FrameHeaderSize:])
	if !ours || binary.BigEndian.Uint32(b) == 0 || !s.is(b[16:]) {
		s.bad = n
	}
}

func isPageSize(n int) bool { return n >= 512 && n <= 1<<16 && n&(n-1) == 0 }

// pageSize is the page size in the header of the main file. If that makes no sense, it is SQLite's
// default.
func pageSize(path string) (int, error) {
	f, err := disk.OpenToRead(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [2]byte
	if _, err := f.ReadAt(b[:], 16); err != nil && err != io.EOF {
		return 0, err
	}
	size := int(binary.BigEndian.Uint16(b[:]))
	switch {
	case size == 1: // 65536 does not fit
		size = 1 << 16
	case !isPageSize(size):
		size = 4096
	}
	return size, nil
}
