package outboxfile

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/schema"
)

// This file writes entries as rows, and reads them.

// record is what a row has of an executor.Record.
type record struct {
	Type       string             `json:"type"`
	Priority   int8               `json:"priority,omitzero"`
	Labels     map[string]string  `json:"labels,omitempty"`
	Created    schema.Time        `json:"created"`
	Timeout    int64              `json:"timeout,omitzero"` // nanoseconds
	Grace      int64              `json:"grace,omitzero"`   // nanoseconds
	Rerun      bool               `json:"rerun,omitzero"`
	Conditions *schema.Conditions `json:"conditions,omitzero"`
	Input      jsontext.Value     `json:"input"`
	RefusedAt  schema.Time        `json:"refusedAt,omitzero"`
}

var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

func textOf(e *outbox.Entry) ([]byte, error) {
	r := &e.Record
	return json.Marshal(record{
		Type: r.Type, Priority: r.Priority, Labels: r.Labels, Created: r.CreatedAt, Timeout: int64(r.Timeout), Grace: int64(r.Grace),
		Rerun: r.Rerun, Conditions: r.Conditions, Input: r.Input, RefusedAt: e.RefusedAt,
	}, lenient)
}

// take takes over the text of a row.
func (r *record) take(e *outbox.Entry, id uuid.UUID) {
	made := executor.Record{Timeout: time.Duration(r.Timeout), Grace: time.Duration(r.Grace), Rerun: r.Rerun}
	made.ID, made.Type, made.Priority, made.Labels, made.CreatedAt = id, r.Type, r.Priority, r.Labels, r.Created
	made.Conditions, made.Input = r.Conditions, r.Input
	e.Record, e.RefusedAt = made, r.RefusedAt
	if e.Refused != "" && e.RefusedAt.IsZero() { // by a program that did not note it
		e.RefusedAt = r.Created
	}
}

// sumOf is the checksum of a row (CRC-32C). SQLite does not notice a bit that flips within a value.
func sumOf(number int64, id uuid.UUID, tried bool, refused string, record []byte) int64 {
	b := binary.BigEndian.AppendUint64(nil, uint64(number))
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(append(b, byte(flag(tried))), uint64(len(refused)))
	b = append(append(b, refused...), record...)
	return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func flag(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// write writes a change in a transaction; an empty one writes what is there. What an earlier change has left whose outcome was not known gives way.
func (f *File) write(c outbox.Change) error {
	if len(c.Add)+len(c.Set)+len(c.Remove) == 0 {
		return f.conn.Run("UPDATE namespace SET name=name")
	}
	for _, all := range [][]outbox.Entry{c.Add, c.Set} {
		for i := range all {
			e := &all[i]
			text, err := textOf(e)
			if err != nil {
				return err
			}
			id := e.Record.ID
			if err := f.conn.Run("INSERT OR REPLACE INTO entry VALUES(?,?,?,?,?,?)",
				e.Number, id[:], flag(e.Tried), e.Refused, text, sumOf(e.Number, id, e.Tried, e.Refused, text)); err != nil {
				return err
			}
		}
	}
	for _, number := range c.Remove {
		if err := f.conn.Run("DELETE FROM entry WHERE number=?", number); err != nil {
			return err
		}
	}
	return nil
}

// read answers all entries, in order. One whose row is not what was written is damaged, and has what can be read of it.
func (f *File) read() (entries []outbox.Entry, err error) {
	err = f.conn.Query("SELECT number, id, tried, refused, record, sum FROM entry ORDER BY number", func(row *sqlite3.Stmt) error {
		e := outbox.Entry{Number: row.ColumnInt64(0), Tried: row.ColumnInt64(2) != 0, Refused: row.ColumnText(3)}
		id, err := uuid.FromBytes(row.ColumnRawBlob(1))
		if err != nil {
			id = idOf(e.Number)
		}
		text := row.ColumnRawBlob(4)
		e.Damaged = err != nil || sumOf(e.Number, id, e.Tried, e.Refused, text) != row.ColumnInt64(5)
		var r record
		if err := json.Unmarshal(text, &r, lenient); err != nil {
			e.Damaged = true
		}
		r.take(&e, id)
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// idOf is an id in place of one that cannot be read.
func idOf(number int64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[8:], uint64(number))
	return id
}
