package memory

import (
	"encoding/binary"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// packer appends values to a block.
type packer struct {
	b   []byte
	err error // the first one
}

func (p *packer) byte(v byte)   { p.b = append(p.b, v) }
func (p *packer) uint(v uint64) { p.b = binary.AppendUvarint(p.b, v) }
func (p *packer) int(v int64)   { p.b = binary.AppendVarint(p.b, v) }
func (p *packer) id(v uuid.UUID) {
	p.b = append(p.b, v[:]...)
}

func (p *packer) flag(v bool) {
	if v {
		p.byte(1)
	} else {
		p.byte(0)
	}
}

func (p *packer) bytes(v []byte) {
	p.uint(uint64(len(v)))
	p.b = append(p.b, v...)
}

func (p *packer) text(v string) {
	p.uint(uint64(len(v)))
	p.b = append(p.b, v...)
}

// time writes a time as the difference to near, so that it takes few bytes if they are close. 0 stands for the
// zero time.
func (p *packer) time(v, near schema.Time) {
	if v.IsZero() {
		p.byte(0)
		return
	}
	d := int64(v - near)
	p.uint(uint64(d<<1^d>>63) + 1)
}

// lenientJSON reads and writes JSON that was accepted before and must stay as it is.
var lenientJSON = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

func (p *packer) json(v any) {
	text, err := json.Marshal(v, lenientJSON)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.bytes(text)
}

// unpacker reads values from a block. After an error it answers zeros.
type unpacker struct {
	b   []byte
	err error // the first one
}

func (u *unpacker) fail(format string, args ...any) {
	if u.err == nil {
		u.err = fmt.Errorf(format, args...)
	}
	u.b = nil
}

func (u *unpacker) short() { u.fail("a block ends within a value") }

func (u *unpacker) more() bool { return u.err == nil && len(u.b) > 0 }

func (u *unpacker) byte() byte {
	if len(u.b) == 0 {
		u.short()
		return 0
	}
	v := u.b[0]
	u.b = u.b[1:]
	return v
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.b)
	if n <= 0 {
		u.short()
		return 0
	}
	u.b = u.b[n:]
	return v
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.b)
	if n <= 0 {
		u.short()
		return 0
	}
	u.b = u.b[n:]
	return v
}

// below reads a number that must be below limit.
func (u *unpacker) below(limit uint64, what string) uint64 {
	v := u.uint()
	if v >= limit {
		u.fail("%s is %d; it must be below %d", what, v, limit)
		return 0
	}
	return v
}

func (u *unpacker) flag() bool { return u.below(2, "a flag") == 1 }

func (u *unpacker) id() (v uuid.UUID) {
	if len(u.b) < len(v) {
		u.short()
		return v
	}
	u.b = u.b[copy(v[:], u.b):]
	return v
}

// bytes reads bytes. They are a part of the block, and valid until the next block.
func (u *unpacker) bytes() []byte {
	n := u.uint()
	switch {
	case n == 0:
		return nil
	case n > uint64(len(u.b)):
		u.short()
		return nil
	}
	v := u.b[:n:n]
	u.b = u.b[n:]
	return v
}

func (u *unpacker) text() string { return string(u.bytes()) }

func (u *unpacker) time(near schema.Time) schema.Time {
	v := u.uint()
	if v == 0 {
		return 0
	}
	v--
	return near + schema.Time(int64(v>>1)^-int64(v&1))
}

func (u *unpacker) state() schema.State {
	return schema.State(u.below(uint64(schema.Cancelled)+1, "a state"))
}

func (u *unpacker) json(v any) {
	if text := u.bytes(); u.err == nil {
		if err := json.Unmarshal(text, v, lenientJSON); err != nil {
			u.fail("a value cannot be read: %w", err)
		}
	}
}
