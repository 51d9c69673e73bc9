package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/jobline/jobline/executor"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digest gathers what a row says, each part with its length, for its checksum
// (CRC-32C): SQLite does not notice a bit that flips within a value.
type digest []byte

func (d digest) number(n int64) digest { return binary.AppendVarint(d, n) }

func (d digest) bytes(b []byte) digest { return append(d.number(int64(len(b))), b...) }

func (d digest) text(s string) digest { return append(d.number(int64(len(s))), s...) }

// sum is signed, so that it takes four bytes in the file.
func (d digest) sum() int64 { return int64(int32(crc32.Checksum(d, castagnoli))) }

// errChecksum is wrapped by every error of damaged.
var errChecksum = errors.New("the checksum is wrong")

// damaged says that a row is not what was written.
func damaged(table string, ord int64) error {
	return fmt.Errorf("%w: task number %d is damaged in the file: its row in the table %s: %w; jobline store check tells more",
		executor.ErrStoreUnavailable, ord, table, errChecksum)
}
