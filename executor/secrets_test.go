package executor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// loginInput is the input of a type with secrets of both kinds.
type loginInput struct {
	Name     string             `json:"name,omitzero"`
	Password jsontext.Value     `json:"password,omitzero"`
	Vars     map[string]*string `json:"vars,omitzero"`
	Ms       int64              `json:"ms,omitzero"`
}

// secretive are types that hide what they are given, and echo it in their result.
func secretive() executor.Options {
	hidden := func(name string) bool { return strings.Contains(name, "KEY") }
	return executor.Options{Limit: 1, MaxResult: 2 * executor.MaxSecretBytes, Types: []executor.Type{
		executor.MustDefine("login", func(ctx context.Context, in loginInput) (loginInput, error) {
			select {
			case <-time.After(time.Duration(in.Ms) * time.Millisecond):
				return in, nil
			case <-ctx.Done():
				return in, context.Cause(ctx)
			}
		}, executor.Secret("password", nil), executor.Secret("vars", hidden)),
	}}
}

func login(input string) schema.SubmitParams {
	return schema.SubmitParams{Type: "login", Input: jsontext.Value(input)}
}

// TestSecretsAreInNoRecord: what is recorded has the mask, and the code gets the
// values in their places.
func TestSecretsAreInNoRecord(t *testing.T) {
	for input, recorded := range map[string]string{
		`{"password":"hunter2","name":"a","vars":{"A":"b","A_KEY":"s1","N_KEY":null,"B_KEY":"s\"2"}}`: `{"password":"•••","name":"a","vars":{"A":"b","A_KEY":"•••","N_KEY":null,"B_KEY":"•••"}}`,
		` { "vars" : { "A_\u004bEY" : "s1" } , "pass\u0077ord" : {"deep":["s3"]} } `:                  ` { "vars" : { "A_\u004bEY" : "•••" } , "pass\u0077ord" : "•••" } `,
		`{"password":null,"vars":{}}`: `{"password":null,"vars":{}}`,
		`{"pass\u0077ord":"s4"}`:      `{"pass\u0077ord":"•••"}`,
		`{"name":"•••"}`:              `{"name":"•••"}`,
		`{}`:                          `{}`,
	} {
		t.Run(input, func(t *testing.T) {
			withRig(t, secretive(), func(r *rig) {
				id := r.submit(login(input))
				task := r.inState(id, schema.Completed)
				require.Equal(r, recorded, string(task.Input))
				want := loginInput{}
				require.NoError(r, decode(input, &want))
				got := loginInput{}
				require.NoError(r, decode(string(task.Result), &got))
				require.Equal(r, want, got)
				require.Zero(r, r.stats().Stuck)
			})
		})
	}
}

// TestMaskIsNoInput: a task whose input is taken from a record would run with the
// mask as its secret.
func TestMaskIsNoInput(t *testing.T) {
	e := idle(t, secretive())
	for input, pointer := range map[string]string{
		`{"password":"•••"}`:                          "/password",
		`{"vars":{"A_KEY":"\u2022•\u2022"}}`:          "/vars/A_KEY",
		`{"vars":{"a/b":"•••","B_KEY":"a real one"}}`: "/vars/a~1b",
	} {
		_, err := e.Prepare(new(login(input)))
		var refused *executor.InputError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, pointer, refused.Violations[0].Pointer)
		require.NotContains(t, err.Error(), "a real one")
	}
}

// TestSecretsOfAnotherProcess: the values are nowhere but in the memory of the
// executor that was given them.
func TestSecretsOfAnotherProcess(t *testing.T) {
	withRig(t, secretive(), func(r *rig) {
		record := executor.Submission{NewID: true}
		record.ID, record.Type, record.CreatedAt = uuid.New(), "login", schema.Now()
		record.Input = jsontext.Value(`{"password":"•••","vars":{"A":"b","A_KEY":"•••"}}`)
		_, err := r.store.Submit(r.Context(), []executor.Submission{record}) // as a start finds it in a file
		require.NoError(r, err)
		task := r.inState(record.ID, schema.Failed)
		require.Equal(r, schema.KindInterrupted, task.Error.Kind)
		require.Equal(r, "hidden values of the input are gone, because the executor that had them in memory has ended: password, A_KEY; set them, and submit the task again", task.Error.Message)
	})
}

// TestSecretsAreBounded: no value is kept longer than its task, whatever ends it,
// and a submit for which there is no room says so.
func TestSecretsAreBounded(t *testing.T) {
	large := `{"ms":1000,"password":"` + strings.Repeat("x", executor.MaxSecretBytes/2) + `"}`
	withRig(t, secretive(), func(r *rig) {
		refused := func() {
			r.Helper()
			record, err := r.Prepare(new(login(large)))
			require.NoError(r, err)
			other, err := r.Prepare(new(login(`{"name":"it needs no room"}`)))
			require.NoError(r, err)
			answers, err := r.Submit(r.Context(), []executor.Submission{record, other})
			require.NoError(r, err)
			require.ErrorIs(r, answers[0].Err, executor.ErrQueueFull)
			require.ErrorContains(r, answers[0].Err, "the limit of 16777216")
			require.NoError(r, answers[1].Err)
			_, err = r.Status(r.Context(), record.ID)
			require.ErrorIs(r, err, executor.ErrNotFound)
		}
		running := r.submit(login(large)) // which leaves no room for the overhead of another
		refused()
		r.pass(time.Second)
		r.inState(running, schema.Completed)

		running = r.submit(login(large))
		r.cancel(running, executor.Cancellation{})
		r.inState(running, schema.Cancelled)

		blocker := r.submit(login(`{"ms":1000}`))
		queued := r.submit(login(large))
		refused()
		require.Equal(r, schema.OutcomeCancelled, r.cancel(queued, executor.Cancellation{}))
		r.submit(login(large))
		r.cancel(blocker, executor.Cancellation{})
	})
}

// TestResubmitComparesMasks: an idempotent submit is the same whatever its secrets
// are, those of the first count, and the others are not kept.
func TestResubmitComparesMasks(t *testing.T) {
	withRig(t, secretive(), func(r *rig) {
		blocker := r.submit(login(`{"ms":1000}`))
		submit := func(input string) executor.Submitted {
			p := login(input)
			p.ID = uuid.MustParse("018f0000-0000-4000-8000-00000000000a")
			record, err := r.Prepare(&p)
			require.NoError(r, err)
			answers, err := r.Submit(r.Context(), []executor.Submission{record})
			require.NoError(r, err)
			return answers[0]
		}
		require.NoError(r, submit(`{"password":"first"}`).Err)
		for range 3 {
			again := submit(`{"password":"` + strings.Repeat("x", executor.MaxSecretBytes*2/3) + `"}`)
			require.NoError(r, again.Err)
			require.True(r, again.Existing)
		}
		require.ErrorIs(r, submit(`{"password":"first","name":"other"}`).Err, executor.ErrIDConflict)
		r.cancel(blocker, executor.Cancellation{})
		task := r.inState(uuid.MustParse("018f0000-0000-4000-8000-00000000000a"), schema.Completed)
		require.Equal(r, `{"password":"first"}`, string(task.Result))
		final := submit(`{"password":"` + strings.Repeat("x", executor.MaxSecretBytes*2/3) + `"}`)
		require.True(r, final.Existing)
		r.submit(login(`{"password":"` + strings.Repeat("x", executor.MaxSecretBytes*2/3) + `"}`)) // nothing is left
	})
}

// TestSecretsComeBack: whatever is hidden is in its place again, and nothing of it
// was in the record.
func TestSecretsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := loginInput{Name: "n", Vars: map[string]*string{}}
		for name, value := range rapid.MapOf(rapid.StringMatching(`(KEY)?[a-z"/~é\n]{1,5}`), rapid.StringMatching(`secret[a-z"\\\x00é]{0,20}`)).Draw(t, "vars") {
			if strings.Contains(name, "KEY") || rapid.Bool().Draw(t, "plain") {
				in.Vars[name] = &value
			}
			if !strings.Contains(name, "KEY") {
				in.Vars[name] = new("plain")
			}
		}
		if rapid.Bool().Draw(t, "password") {
			in.Password = jsontext.Value(`["secret",{"a":"secret"}]`)
		}
		text := encode(in)
		e, err := executor.New(newMemory(), secretive())
		if err != nil {
			t.Fatal(err)
		}
		record, err := e.Prepare(&schema.SubmitParams{Type: "login", Input: text})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(record.Input), "secret") {
			t.Fatalf("a secret is in the record: %s", record.Input)
		}
		recorded := string(record.Input)
		for _, value := range record.Hidden {
			recorded = strings.Replace(recorded, `"•••"`, string(value), 1)
		}
		if recorded != string(text) {
			t.Fatalf("got %s, want %s", recorded, text)
		}
	})
}

func TestSecretOfNoMember(t *testing.T) {
	_, err := executor.Define("x", func(context.Context, loginInput) (empty, error) { return empty{}, nil }, executor.Secret("pin", nil))
	require.ErrorContains(t, err, `the input has no member "pin" that could be secret`)
}

func decode(text string, to *loginInput) error { return json.Unmarshal([]byte(text), to) }

func encode(in loginInput) jsontext.Value {
	text, err := json.Marshal(in, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return text
}
