package inspect

import (
	"context"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// FileInfo describes a store's file.
type FileInfo struct {
	File    string `json:"file"`
	Version int64  `json:"version"`
	// Bytes is the size of the file, WALBytes that of its write-ahead log.
	Bytes    int64 `json:"bytes"`
	WALBytes int64 `json:"walBytes"`
	// HeldBy is the process that has the store; "" is none.
	HeldBy string `json:"heldBy,omitzero"`
	// Tasks counts them as the file has them: one that runs there and has no
	// holder was interrupted.
	Tasks struct {
		Queued    int64 `json:"queued"`
		Running   int64 `json:"running"`
		Completed int64 `json:"completed"`
		Failed    int64 `json:"failed"`
		Cancelled int64 `json:"cancelled"`
	} `json:"tasks"`
	// Schedules counts the schedules. It is 0 in a store of a version before 5.
	Schedules int64 `json:"schedules"`
	// KeptBytes are the inputs, results and outputs of finished tasks, as
	// retention counts them.
	KeptBytes int64 `json:"keptBytes"`
	// LatestSeq is the event number of the latest end.
	LatestSeq int64 `json:"latestSeq"`
	// Oldest and Newest are by creation, nil where there is no task.
	Oldest *TaskName `json:"oldest,omitzero"`
	Newest *TaskName `json:"newest,omitzero"`
}

// TaskName says which task it is, and of when.
type TaskName struct {
	ID        uuid.UUID   `json:"id"`
	CreatedAt schema.Time `json:"createdAt"`
}

// Inspect describes a store, held or not. It changes no file.
func Inspect(ctx context.Context, path string) (info FileInfo, err error) {
	in, err := openInspection(ctx, path)
	if err != nil {
		return info, file.ExplainCorruption(path, err, file.AdviceInspect)
	}
	info = FileInfo{File: path, Version: in.version, HeldBy: in.heldBy, Bytes: in.before[0].size, WALBytes: in.before[1].size}
	if err = in.snapshot(); err == nil {
		err = in.describe(&info)
	}
	return info, in.end(err, "read the store "+path, file.AdviceInspect)
}

func (in *inspection) describe(info *FileInfo) error {
	st, err := file.ReadState(in.conn)
	if err != nil {
		return err
	}
	t := &info.Tasks
	t.Completed, t.Failed, t.Cancelled = st.Completed, st.Failed, st.Cancelled
	info.KeptBytes = st.Bytes
	if t.Running, err = in.conn.Number("SELECT count(started) FROM active"); err != nil {
		return err
	}
	t.Queued = st.Active - t.Running
	if in.version >= 5 {
		if info.Schedules, err = in.conn.Number("SELECT count(*) FROM schedule"); err != nil {
			return err
		}
	}
	if info.LatestSeq, err = in.conn.Number("SELECT max(seq) FROM done"); err != nil {
		return err
	}
	info.LatestSeq = max(info.LatestSeq, st.Removed)
	if info.Oldest, err = in.taskOf("SELECT id, created FROM task ORDER BY ord LIMIT 1"); err != nil {
		return err
	}
	info.Newest, err = in.taskOf("SELECT id, created FROM task ORDER BY ord DESC LIMIT 1")
	return err
}

// taskOf is the task that a query answers.
func (in *inspection) taskOf(sql string) (found *TaskName, err error) {
	err = in.conn.Query(sql, func(row *sqlite3.Stmt) error {
		found = &TaskName{CreatedAt: schema.Time(row.ColumnInt64(1))}
		copy(found.ID[:], row.ColumnRawBlob(0))
		return nil
	})
	return found, err
}
