package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// This file decides on which executors a task may run.

// MaxPlaces is how many labels a task may ask for, and how many an executor may have.
const MaxPlaces = 16

// CheckPlaces says what is wrong with the labels of an executor.
func CheckPlaces(labels map[string]string) error {
	var v violations
	if v.places("labels", labels); v != nil {
		return errors.New(v[0].Message)
	}
	return nil
}

func (v *violations) places(member string, labels map[string]string) {
	if len(labels) > MaxPlaces {
		v.add(member, "%d labels are more than %d; leave some out", len(labels), MaxPlaces)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		place := string(jsontext.Pointer(member).AppendToken(schema.Cut(name)))
		switch value := labels[name]; {
		case name == "":
			v.add(member, "a label has no name; give name and value, as gpu=a100")
		case strings.Contains(name, "="):
			v.add(place, "the name %q has a =, and no executor can have such a label; give name and value apart, as gpu and a100", schema.Cut(name))
		case value == "":
			v.add(place, "the label %q has no value; give one, as %s=yes", schema.Cut(name), schema.Cut(name))
		default:
			v.name(place, name)
			v.name(place, value)
		}
	}
}

// placesText is labels as a person writes them, sorted by name, each behind a text.
func placesText(before, between string, labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, before+name+"="+labels[name])
	}
	return strings.Join(all, between)
}

// waitsForExecutor is why a task that asks for labels does not run here, or nil where it may.
func (e *Executor) waitsForExecutor(ctx context.Context, t *schema.Task) *schema.Waiting {
	on := t.Conditions.On
	if !e.leavesToOthers() && t.Conditions.RunsWith(e.options.Labels) && e.Offers(t.Type) {
		return nil
	}
	labels := placesText("", ", ", on)
	w := &schema.Waiting{Kind: schema.WaitsForExecutor, Name: labels}
	if labels = "the label " + labels; len(on) > 1 {
		labels = "the labels " + w.Name
	}
	w.Message = "waits for an executor with " + labels
	all, err := e.Executors(ctx)
	if err != nil {
		e.log.Debug("which executors there are is not known", "error", err)
		return w
	}
	all = slices.DeleteFunc(all, func(i schema.ExecutorInfo) bool { return !t.Conditions.RunsWith(i.Labels) })
	if len(all) == 0 {
		w.Message = fmt.Sprintf("no executor with %s is here; start one with serve %s", labels, placesText("--label ", " ", on))
		return w
	}
	all = slices.DeleteFunc(all, func(i schema.ExecutorInfo) bool { return i.Types != nil && !slices.Contains(i.Types, t.Type) })
	begin := slices.DeleteFunc(slices.Clone(all), func(i schema.ExecutorInfo) bool { return i.Draining })
	if len(all) > 0 && len(begin) == 0 {
		w.Message = drainingText(all, "has "+labels, "have "+labels)
		return w
	}
	switch all = begin; len(all) {
	case 0:
		w.Message = fmt.Sprintf("no executor with %s runs tasks of the type %q; start one that does", labels, t.Type)
	case 1:
		w.Message = fmt.Sprintf("%s has %s, and takes it when it has a slot", all[0].Name, labels)
	default:
		w.Message = fmt.Sprintf("%d executors have %s, and one takes it when it has a slot", len(all), labels)
	}
	return w
}
