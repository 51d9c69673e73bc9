package cmd

import (
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// flagless are the members that no flag sets, and why.
var flagless = map[string]string{
	"/type":         "an argument",
	"/input":        "--input, --set, or a command",
	"/events":       "of the connection, which ends with the command",
	"/output":       "of the connection",
	"/onDisconnect": "of the connection; run cancels",
	"/retryOf":      "jobline retry notes it",
	"/name":         "an argument of schedule",
}

// TestEachMemberHasAFlag: what a program can say of a task, a person can say at a terminal.
func TestEachMemberHasAFlag(t *testing.T) {
	submit := membersOf(reflect.TypeFor[schema.SubmitParams](), "")
	for command, members := range map[string][]string{
		"submit":   submit,
		"run":      slices.DeleteFunc(slices.Clone(submit), func(pointer string) bool { return pointer == "/dryRun" }),
		"schedule": membersOf(reflect.TypeFor[schema.ScheduleParams](), ""),
		"update":   slices.DeleteFunc(membersOf(reflect.TypeFor[schema.UpdateParams](), ""), func(pointer string) bool { return pointer == "/id" }),
	} {
		c, _, err := (&Program{Name: "jobline"}).newRoot(io.Discard).Find([]string{command})
		require.NoError(t, err)
		for _, pointer := range members {
			place := placeOf(pointer, true)
			if command == "schedule" {
				place = placeOfScheduled(pointer)
			}
			if flagless[strings.TrimPrefix(pointer, "/submit")] == "" {
				require.NotNil(t, c.Flags().Lookup(strings.TrimPrefix(place, "--")), "%s: no flag sets %s of its params", command, pointer)
			}
		}
	}
	for pointer := range submitFlags {
		require.Contains(t, submit, pointer, "a submit has it no more")
	}
}

// membersOf are the pointers of the members of params, with those of objects of the protocol within.
func membersOf(of reflect.Type, below string) (pointers []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		isObject := inner.Kind() == reflect.Struct && inner.PkgPath() == reflect.TypeFor[schema.Retry]().PkgPath()
		switch {
		case field.Anonymous:
			pointers = append(pointers, membersOf(inner, below)...)
		case isObject:
			pointers = append(pointers, membersOf(inner, below+"/"+name)...)
		default:
			pointers = append(pointers, below+"/"+name)
		}
	}
	return pointers
}
