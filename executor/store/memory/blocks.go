package memory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A snapshot is a magic text, a version, and blocks. A block has a kind, a length, a checksum, and items of its kind
// one after another. The last block says how many blocks come before it.

const (
	snapshotMagic   = "jobline snapshot "
	snapshotVersion = 1
	// blockBytes is about how long a block with many items is.
	blockBytes = 64 << 10
	// maxBlockBytes is the longest block that is read.
	maxBlockBytes = 1 << 30
	// frameBytes is the length of the kind, length and checksum before the content of a block.
	frameBytes = 1 + 4 + 4
)

// blockKind says which items are in a block. The numbers are part of the format.
type blockKind byte

const (
	blockEnd blockKind = iota + 1
	blockHead
	blockSchedules
	blockIDs // of final tasks
	blockFinals
	blockOpen // tasks that are not final
	blockHeld // claimers and leases
	blockPlan // groups and resources
	blockParked
	blockTrees
	blockUntold
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

// blockWriter writes blocks.
type blockWriter struct {
	packer
	to    io.Writer
	kind  blockKind
	count uint32
	sum   uint32 // the checksum of the frames of all blocks so far
}

func newBlockWriter(to io.Writer) (*blockWriter, error) {
	w := &blockWriter{to: to}
	_, err := to.Write(append([]byte(snapshotMagic), snapshotVersion))
	return w, err
}

func (w *blockWriter) begin(kind blockKind) {
	w.kind, w.b = kind, append(w.b[:0], make([]byte, frameBytes)...)
}

func (w *blockWriter) empty() bool { return len(w.b) == frameBytes }

func (w *blockWriter) full() bool { return len(w.b) >= blockBytes }

func (w *blockWriter) end() error {
	head, content := w.b[:frameBytes], w.b[frameBytes:]
	if len(content) > maxBlockBytes {
		return fmt.Errorf("a part of a snapshot has %d bytes; at most %d can be", len(content), maxBlockBytes)
	}
	sum := checksumOf(w.kind, content)
	head[0] = byte(w.kind)
	binary.BigEndian.PutUint32(head[1:], uint32(len(content)))
	binary.BigEndian.PutUint32(head[5:], sum)
	w.count++
	w.sum = crc32.Update(w.sum, checksums, head)
	_, err := w.to.Write(w.b)
	return err
}

func (w *blockWriter) finish() error {
	count, sum := w.count, w.sum
	w.begin(blockEnd)
	w.uint(uint64(count))
	w.uint(uint64(sum))
	return w.end()
}

func checksumOf(kind blockKind, content []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte{byte(kind)}, checksums), checksums, content)
}

// errSnapshotEnds says that a snapshot is cut off before its last block.
var errSnapshotEnds = errors.New("the snapshot is cut off")

// blockReader reads blocks.
type blockReader struct {
	unpacker
	from  *bufio.Reader
	kind  blockKind
	block []byte // reused for each block
	count uint32
	sum   uint32
}

func newBlockReader(from io.Reader) (*blockReader, error) {
	r := &blockReader{from: bufio.NewReaderSize(from, blockBytes)}
	begin := make([]byte, len(snapshotMagic)+1)
	if _, err := io.ReadFull(r.from, begin); err != nil || string(begin[:len(snapshotMagic)]) != snapshotMagic {
		return nil, fmt.Errorf("it is not a snapshot of a queue: it does not begin with %q", snapshotMagic)
	}
	if version := begin[len(snapshotMagic)]; version != snapshotVersion {
		return nil, fmt.Errorf("the snapshot is of version %d, and this version of jobline has version %d", version, snapshotVersion)
	}
	return r, nil
}

// next reads the next block. It answers false after the last block, and after an error.
func (r *blockReader) next() bool {
	if r.err != nil {
		return false
	}
	if len(r.b) > 0 {
		r.fail("a block of kind %d has %d bytes too many", r.kind, len(r.b))
		return false
	}
	var head [frameBytes]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		r.err = readError(err)
		return false
	}
	r.kind = blockKind(head[0])
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxBlockBytes {
		r.fail("a block has %d bytes; at most %d can be", size, maxBlockBytes)
		return false
	}
	if !r.fill(int(size)) {
		return false
	}
	if sum := checksumOf(r.kind, r.block); sum != binary.BigEndian.Uint32(head[5:]) {
		r.fail("block %d is damaged: its checksum does not match", r.count)
		return false
	}
	r.b = r.block
	if r.kind == blockEnd {
		if count, sum := r.uint(), r.uint(); r.err == nil && (count != uint64(r.count) || sum != uint64(r.sum)) {
			r.fail("%d blocks were written, and the %d that were read are not the same", count, r.count)
		}
		return false
	}
	r.count++
	r.sum = crc32.Update(r.sum, checksums, head[:])
	return true
}

// fill reads the content of a block. It allocates as the bytes come, so that a damaged length cannot exhaust
// the memory.
func (r *blockReader) fill(size int) bool {
	r.block = r.block[:0]
	for len(r.block) < size {
		n := len(r.block)
		more := min(size-n, max(n, blockBytes*2))
		if cap(r.block) < n+more {
			r.block = append(make([]byte, 0, n+more), r.block...)
		}
		r.block = r.block[:n+more]
		if _, err := io.ReadFull(r.from, r.block[n:]); err != nil {
			r.err = readError(err)
			return false
		}
	}
	return true
}

func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errSnapshotEnds
	}
	return err
}
