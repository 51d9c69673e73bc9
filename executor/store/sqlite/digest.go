package sqlite

import (
	"encoding/binary"
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

// damaged says that a row is not what was written.
func damaged(table string, ord int64) error {
	return fmt.Errorf("%w: the checksum of the row of task number %d in the table %s is wrong; jobline store check tells more",
		executor.ErrDamaged, ord, table)
}
