package executor

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// withoutEvery in a text lets it have no everyMs.
const withoutEvery = `,"-everyMs":0`

// badSchedules are texts that no server writes, by the field of a schedule: each is what stands for the field.
var badSchedules = map[string][]string{
	"Name":      {`"name":"a\nb"`, `"name":""`, `"name":7`},
	"Cron":      {`"cron":"whenever"` + withoutEvery, `"cron":"* * * * *"`, `"cron":"` + strings.Repeat("*", 2000) + `"` + withoutEvery},
	"EveryMs":   {`"everyMs":1`, `"everyMs":-1`, `"everyMs":315360000001`, `"everyMs":99999999999999999999`},
	"TimeZone":  {`"timeZone":"Europe/Berlin"`, `"timeZone":"` + strings.Repeat("x", 300) + `","cron":"* * * * *"` + withoutEvery},
	"Overlap":   {`"overlap":"invented"`},
	"Missed":    {`"missed":"invented"`, `"missed":"all"`},
	"JitterMs":  {`"jitterMs":-1`, `"jitterMs":86400001`},
	"Until":     {`"until":"12345-01-01T00:00:00Z"`, `"until":7`},
	"Type":      {`"type":""`, `"type":"a b"`},
	"Input":     {`"input":{"a":1,"a":1}`},
	"Priority":  {`"priority":101`},
	"TimeoutMs": {`"timeoutMs":-2`, `"timeoutMs":315360000001`},
	"GraceMs":   {`"graceMs":-1`},
	"Rerun":     {`"rerun":7`},
	"Labels":    {`"labels":{"schedule":"x"}`, `"labels":{"a":"` + strings.Repeat("x", 257) + `"}`, `"labels":7`},
	"Group":     {`"group":"` + strings.Repeat("x", 257) + `"`, `"group":"a\u0001"`},
	"Key":       {`"key":"` + strings.Repeat("ü", 129) + `"`},
	"On":        {`"on":{"gpu":""}`},
	"Needs":     {`"needs":{"gpu":0}`},
	"Retry":     {`"retry":{"maxAttempts":0}`, `"retry":{"maxAttempts":2,"on":["invented"]}`},
	"ExpireMs":  {`"expireMs":-1`},

	"Generation": {`"generation":"x"`}, "CreatedAt": {`"createdAt":"x"`}, "Since": {`"since":"x"`}, "Decided": {`"decided":7`},
	"LastDue": {`"lastDue":7`}, "LastTask": {`"lastTask":7`}, "Skipped": {`"skipped":{"reason":7}`},
	"a member that there is not": {`"invented":7`},
}

// Each field of a schedule that another process has written is checked, and in the same way on every machine.
func TestTextsOfSchedulesAreChecked(t *testing.T) {
	members := map[string]string{
		"Name": `"name":"n"`, "EveryMs": `"everyMs":60000`, "Generation": `"generation":"` + uuid.NewString() + `"`,
		"CreatedAt": `"createdAt":"2026-01-01T00:00:00Z"`, "Since": `"since":"2026-01-01T00:00:00Z"`, "Decided": `"decided":"2026-01-01T00:00:00Z"`,
	}
	submit := map[string]string{"Type": `"type":"noop"`}
	scheduled := reflect.TypeFor[schema.ScheduledSubmit]()
	text := func(field, spoiled string) []byte {
		spoiled, cron := strings.CutSuffix(spoiled, withoutEvery)
		join := func(all map[string]string, more ...string) string {
			for name, member := range all {
				if name != field && (name != "EveryMs" || !cron) && !strings.Contains(spoiled, member[:strings.Index(member, ":")+1]) {
					more = append(more, member)
				}
			}
			return strings.Join(more, ",")
		}
		if _, of := scheduled.FieldByName(field); of {
			return fmt.Appendf(nil, `{%s}`, join(members, `"submit":{`+join(submit, spoiled)+`}`))
		}
		more := []string{`"submit":{` + join(submit) + `}`}
		if spoiled != "" {
			more = append(more, spoiled)
		}
		return fmt.Appendf(nil, `{%s}`, join(members, more...))
	}
	require.NoError(t, CheckSchedules([]ScheduleText{{Name: "n", Text: text("", "")}}, nil))
	zone := text("", `"cron":"* * * * *","timeZone":"Europe/Atlantis"`+withoutEvery)
	require.NoError(t, CheckSchedules([]ScheduleText{{Name: "n", Text: zone}}, nil), "another machine may have the time zone")
	for field, all := range badSchedules {
		for _, spoiled := range all {
			err := CheckSchedules([]ScheduleText{{Name: "n", Text: text(field, spoiled)}}, nil)
			require.True(t, refusedForGood(err), "%s: %v", text(field, spoiled), err)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[schema.ScheduleParams](), scheduled, reflect.TypeFor[storedSchedule]()} {
		for i := range of.NumField() {
			if name := of.Field(i).Name; name != "Submit" && name != "ScheduleParams" {
				require.Contains(t, badSchedules, name)
			}
		}
	}
}

// What a server records of a schedule is what the copies of the store take, and there are no more than a server makes.
func TestTextsOfSchedulesAreThoseOfServers(t *testing.T) {
	p := schema.ScheduleParams{Name: "n", Cron: "* * * * *", TimeZone: "Europe/Berlin", Submit: schema.ScheduledSubmit{Type: "noop", Labels: map[string]string{"a": "b"}}}
	s := new(storedSchedule).changed(&p, 7)
	s.LastDue, s.LastTask = 8, uuid.New()
	s.skip(9, strings.Repeat("\x01", 1<<20))
	text, err := scheduleText(s)
	require.NoError(t, err)
	require.NoError(t, CheckSchedules([]ScheduleText{{Name: "n", Text: text}}, nil))

	known := make([]ScheduleText, MaxSchedules-1)
	for i := range known {
		known[i].Name = fmt.Sprintf("m%04d", i)
	}
	more := []ScheduleText{{Name: "n", Text: text}, {Name: "n", Text: text}, {Name: "m0000"}}
	require.NoError(t, CheckSchedules(more, known))
	s.Name = "o"
	other, err := scheduleText(s)
	require.NoError(t, err)
	err = CheckSchedules(append(more, ScheduleText{Name: "o", Text: other}), known)
	var large *TooLargeError
	require.True(t, errors.As(err, &large), err)
	require.NoError(t, CheckSchedules(more[:1], append(known, ScheduleText{Name: "n"})))
}
