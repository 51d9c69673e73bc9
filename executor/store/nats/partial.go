package nats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// This file keeps the pieces of messages whose last piece has not come yet.

const (
	// maxDriverPieceBytes bounds the unfinished messages of all drivers together, in bytes: every process has
	// them in memory. No request is that long.
	maxDriverPieceBytes = 256 << 20
	// pieceCost is what a piece counts in addition to its bytes, so that empty pieces are bounded, too.
	pieceCost = 128
)

func (p *peer) addPiece(text []byte) {
	p.partial = append(p.partial, text)
	p.partialBytes += len(text) + pieceCost
}

// keepPiece keeps a piece of a process. If the drivers have too many bytes of pieces, it removes the driver
// that has the most, and answers it. So a driver with a short message loses nothing by the pieces of others.
func (m *machine) keepPiece(p *peer, text []byte) (removed *peer) {
	p.addPiece(text)
	if p.about.Role == RoleExecutor {
		return nil
	}
	all, most := 0, p
	for _, o := range m.peers {
		if o.about.Role == RoleExecutor {
			continue
		}
		all += o.partialBytes
		if o.partialBytes > most.partialBytes || o.partialBytes == most.partialBytes && compareIDs(o.id, most.id) < 0 {
			most = o
		}
	}
	if all <= maxDriverPieceBytes {
		return nil
	}
	m.remove(most)
	return most
}

// writePieces writes the pieces of the peers to a snapshot, with a checksum. They come after the head, which is
// JSON, because they may be long.
func writePieces(to io.Writer, of []peerState) error {
	sum := crc32.NewIEEE()
	both := io.MultiWriter(to, sum)
	some := false
	for i := range of {
		for _, piece := range of[i].pieces {
			some = true
			if _, err := both.Write(piece); err != nil {
				return err
			}
		}
	}
	if !some {
		return nil
	}
	_, err := to.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// readPieces reads what writePieces has written.
func readPieces(from io.Reader, of []peerState) error {
	sum := crc32.NewIEEE()
	some := false
	for i := range of {
		for _, size := range of[i].PieceSizes {
			if size < 0 || size > maxStateBytes {
				return fmt.Errorf("it has a piece of %d bytes", size)
			}
			some = true
			piece := make([]byte, size)
			if _, err := io.ReadFull(from, piece); err != nil {
				return err
			}
			_, _ = sum.Write(piece) // fails never
			of[i].pieces = append(of[i].pieces, piece)
		}
	}
	if !some {
		return nil
	}
	var should [4]byte
	if _, err := io.ReadFull(from, should[:]); err != nil {
		return err
	}
	if sum.Sum32() != binary.BigEndian.Uint32(should[:]) {
		return errors.New("its unfinished messages are damaged")
	}
	return nil
}
