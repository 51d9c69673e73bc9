package inspect

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// OutboxInfo describes the file of an outbox.
type OutboxInfo struct {
	// HeldBy is the process that has the file; "" is none.
	HeldBy string
	// Namespace is the one for which the entries are; "" of a file that was only begun.
	Namespace string
	Waiting   int64
	Refused   int64
	// Oldest is when the first of all these was submitted; zero where there is none.
	Oldest schema.Time
}

// outboxID is the application_id of an outbox, "JOBO", and outboxVersion is the user_version that is known here.
const outboxID, outboxVersion = 0x4A4F424F, 1

// Outbox describes the file of an outbox, held or not. It changes no file, and does not look at checksums.
func Outbox(ctx context.Context, path string) (info OutboxInfo, err error) {
	in := &inspection{name: path}
	if in.path, err = disk.ResolvePath(path); err == nil {
		err = disk.RequireReadable(path, in.path)
	}
	if err == nil {
		err = in.open(ctx, identifyOutbox)
	}
	if err != nil {
		return info, fmt.Errorf("read the outbox: %w", err)
	}
	info.HeldBy = in.heldBy
	if in.version > 0 {
		err = in.describeOutbox(&info)
	}
	return info, in.end(err, "read the outbox "+path, "name another file")
}

// identifyOutbox reads the version of an outbox. It is 0 of a file that a process has begun which died.
func identifyOutbox(c *file.Conn, name string) (version int64, err error) {
	id, err := c.Number("PRAGMA application_id")
	if err == nil {
		version, err = c.Number("PRAGMA user_version")
	}
	switch {
	case err != nil:
		return 0, err
	case id == 0 && version == 0:
		tables, err := c.Number("SELECT count(*) FROM sqlite_schema")
		if err == nil && tables > 0 {
			err = fmt.Errorf("%s is not an outbox of jobline; name another file", name)
		}
		return 0, err
	case id != outboxID:
		return 0, fmt.Errorf("%s is not an outbox of jobline; name another file", name)
	case version > outboxVersion:
		return 0, fmt.Errorf("%s was written by a newer jobline: its version is %d, this program knows up to %d; use the newer program", name, version, outboxVersion)
	}
	return version, nil
}

func (in *inspection) describeOutbox(info *OutboxInfo) error {
	created := ""
	err := in.conn.Query(`SELECT coalesce((SELECT name FROM namespace), ''), (SELECT count(*) FROM entry WHERE refused=''), (SELECT count(*) FROM entry WHERE refused<>''),
		coalesce((SELECT json_extract(CAST(record AS TEXT), '$.created') FROM entry WHERE json_valid(CAST(record AS TEXT)) ORDER BY number LIMIT 1), '')`, func(row *sqlite3.Stmt) error {
		info.Namespace, info.Waiting, info.Refused, created = row.ColumnText(0), row.ColumnInt64(1), row.ColumnInt64(2), row.ColumnText(3)
		return nil
	})
	if err != nil || created == "" {
		return err
	}
	return info.Oldest.UnmarshalText([]byte(created))
}
