package file

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/jobline/jobline/executor"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Digest collects the values of a row, each with its length, for the checksum of the
// row (CRC-32C). SQLite does not notice a bit that flips within a value.
type Digest []byte

func (d Digest) number(n int64) Digest { return binary.AppendVarint(d, n) }

func (d Digest) bytes(b []byte) Digest { return append(d.number(int64(len(b))), b...) }

func (d Digest) text(s string) Digest { return append(d.number(int64(len(s))), s...) }

// Sum is signed, so that it takes four bytes in the file.
func (d Digest) Sum() int64 { return int64(int32(crc32.Checksum(d, castagnoli))) }

// damaged says that a row is not what was written.
func damaged(table string, ord int64) error {
	return fmt.Errorf("%w: the checksum of the row of task number %d in the table %s is wrong; jobline store check tells more",
		executor.ErrDamaged, ord, table)
}
