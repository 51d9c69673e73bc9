package inspect

import (
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// conditions looks for conditions of tasks that have none, or are not there.
func (k *checker) conditions() error {
	if k.version < 5 {
		return nil
	}
	err := file.EachUnusedCondition(k.conn, func(ord int64) error {
		k.found(ord, "it has a row in the table condition, and its row in the table task says that it has no conditions")
		return nil
	})
	if err != nil {
		return err
	}
	return k.orphans("condition")()
}

// triedBefore looks for the earlier attempts of a task that must have some: why is the reason.
func (k *checker) triedBefore(ord int64, why string) {
	if h, err := file.ReadHistory(k.conn, ord); err == nil && h == nil { // retries reports what cannot be read
		k.found(ord, "%s, and has no row in the table retry", why)
	}
}

// retries looks at the attempts that others followed.
func (k *checker) retries() error {
	if k.version < 5 {
		return nil
	}
	err := file.EachHistory(k.conn, func(ord int64, err error) error {
		if err != nil {
			k.unreadable(ord, "retry", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return k.orphans("retry")()
}

// groups looks at the settings of groups.
func (k *checker) groups() error {
	if k.version < 5 {
		return nil
	}
	return file.ReadGroups(k.conn, func(_ string, _ plan.Settings, err error) {
		if err != nil {
			k.found(0, "%v; the group is paused until it has other settings", err)
		}
	})
}

// schedules looks at the schedules.
func (k *checker) schedules() error {
	if k.version < 5 {
		return nil
	}
	return file.ReadSchedules(k.conn, func(_ string, _ []byte, err error) {
		if err != nil {
			k.found(0, "%v; it makes no tasks until it is made again", err)
		}
	})
}
