package inspect

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Setting is what a store has beside tasks. One member is set.
type Setting struct {
	Paused   bool             `json:"paused,omitzero"` // everything is paused
	Group    *schema.Group    `json:"group,omitzero"`  // one that has settings; it counts no tasks
	Schedule *schema.Schedule `json:"schedule,omitzero"`
}

// ExportSettings calls each for the pause of everything, for each group that has settings, and for
// each schedule of a store, held or not, sorted by name, as of one moment. It changes no file. One
// that cannot be read is reported and passed over.
func ExportSettings(ctx context.Context, path string, each func(*Setting) error, report func(Finding)) error {
	in, err := openInspection(ctx, path)
	if err != nil {
		return file.ExplainCorruption(path, err, file.AdviceInspect)
	}
	k := &checker{inspection: in, report: report}
	if err = in.snapshot(); err == nil && k.version >= 5 {
		var all []Setting
		if all, err = k.settings(); err == nil {
			for i := range all {
				if err = each(&all[i]); err != nil {
					break
				}
			}
		}
	}
	return in.end(err, "export "+path, file.AdviceInspect)
}

// settings are those that can be read.
func (k *checker) settings() (all []Setting, err error) {
	err = file.ReadGroups(k.conn, func(name string, s plan.Settings, err error) {
		switch {
		case err != nil:
			k.found(0, "%v", err)
		case name == "":
			all = append(all, Setting{Paused: true})
		default:
			all = append(all, Setting{Group: new(executor.ShownGroup(plan.Group{Name: name, Settings: s}))})
		}
	})
	if err != nil {
		return nil, err
	}
	err = file.ReadSchedules(k.conn, func(name string, text []byte, err error) {
		var shown schema.Schedule
		if err == nil {
			shown, err = executor.ShownSchedule(executor.ScheduleText{Name: name, Text: text})
		}
		if err != nil {
			k.found(0, "%v", err)
			return
		}
		all = append(all, Setting{Schedule: &shown})
	})
	return all, err
}
