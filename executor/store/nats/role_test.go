package nats

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// A driver submits and cancels, and a viewer looks on; neither changes anything else.
func TestRoles(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	runs := open(t, Options{Address: at, Lease: longLease})
	drives := open(t, Options{Address: at, Lease: longLease, Role: RoleDriver})
	views := open(t, Options{Address: at, Role: RoleViewer})
	one, other := newTask(), newTask()
	drives.submits(t, one, other)
	answers, err := drives.Cancel(t.Context(), []uuid.UUID{other.ID}, executor.Cancellation{})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
	require.NoError(t, finishes(claims(t, runs.joins(t))))
	for _, s := range []*Store{runs, drives, views} {
		s.sees(t, one.ID, schema.Completed)
		s.sees(t, other.ID, schema.Cancelled)
	}
	all, err := views.Executors(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)

	refuses := func(err error, r Role) {
		t.Helper()
		require.ErrorIs(t, err, executor.ErrNotPermitted)
		require.ErrorContains(t, err, "this server is a "+string(r)+" of its namespace")
	}
	for _, s := range []*Store{drives, views} {
		_, err := s.Join(t.Context(), executor.Offer{})
		refuses(err, s.options.Role)
		refuses(s.Pause(t.Context(), true), s.options.Role)
		refuses(s.SetGroup(t.Context(), "g", plan.Settings{Limit: 1}), s.options.Role)
		_, err = Open(t.Context(), Options{Address: at, Role: s.options.Role, Limits: memory.Options{Keep: 3}})
		refuses(err, s.options.Role)
	}
	_, err = views.Submit(t.Context(), []executor.Submission{newTask()})
	refuses(err, RoleViewer)
	_, err = views.Cancel(t.Context(), []uuid.UUID{one.ID}, executor.Cancellation{})
	refuses(err, RoleViewer)
	for _, s := range []*Store{views, drives, runs} {
		require.NoError(t, s.Close())
	}
}

// What a process writes that its role does not permit changes nothing: the copies do not trust it.
func TestCopiesHoldRoles(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	looks := open(t, Options{Address: at, Lease: longLease})
	conn, err := Dial(at, Credentials{})
	require.NoError(t, err)
	defer conn.Close()
	driver, other := uuid.New(), newTask()
	says := func(as uuid.UUID, number uint64, changes ...change) {
		t.Helper()
		text, err := encode(changes)
		require.NoError(t, err)
		require.NoError(t, conn.Publish(at.subject(RoleDriver), append(head{writer: as, number: number}.append(nil), text...)))
	}
	says(driver, 1, change{Hello: &hello{Name: "driver", Lease: int64(time.Hour), Role: RoleExecutor, Rules: rulesVersion}}, change{Pause: new(true)},
		change{Join: &join{Number: 1, Every: true}}, change{Fence: &fence{Peer: looks.self, Last: looks.machine.peers[looks.self].last}})
	says(looks.self, looks.number+1, change{Pause: new(true)}) // under the name of another
	require.NoError(t, conn.Publish(at.subject(RoleDriver), []byte("rubbish")))
	require.NoError(t, conn.Publish(at.subject(RoleDriver), head{writer: driver, number: 2}.append(nil)))
	says(driver, 3, change{Beat: true, Seen: &entryDigest{Entry: 1, Digest: 1}}, change{Submit: submissionsOf([]executor.Submission{other})})
	looks.sees(t, other.ID, schema.Queued)
	require.False(t, looks.Info().Paused)
	require.Empty(t, looks.Info().Fault)
	executors, err := looks.Executors(t.Context())
	require.NoError(t, err)
	require.Empty(t, executors)
	looks.submits(t, newTask())
	require.NoError(t, looks.Close())
}

// documentedUsers are the users of the example in docs/machines.md, one for each role of the namespace
// builds. Each has the password canary.
func documentedUsers(t *testing.T) []*server.User {
	t.Helper()
	page, err := os.ReadFile("../../../docs/machines.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(page), "<!-- example: roles -->\n```\n")
	require.True(t, found)
	text, _, found = strings.Cut(text, "```")
	require.True(t, found)
	file := filepath.Join(t.TempDir(), "roles.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	for _, r := range Roles {
		t.Setenv(strings.ToUpper(string(r))+"_PASSWORD", "canary")
	}
	o, err := server.ProcessConfigFile(file)
	require.NoError(t, err)
	return o.Users
}

// Each role works with the permissions of docs/machines.md, and what a user may not do is told at once.
func TestPermissions(t *testing.T) {
	at := oneServer(t, func(o *server.Options) {
		o.Users = append(documentedUsers(t), &server.User{Username: "admin", Password: "canary"}, &server.User{
			Username: "nobody", Password: "canary", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"other"}}}})
	})
	at.Namespace = "builds"
	as := func(name string) Credentials { return Credentials{User: name, Password: "canary"} }
	_, err := Init(t.Context(), at, as("nobody"), Namespace{})
	require.ErrorContains(t, err, `do not let this user publish to "$JS.API.STREAM.INFO.JL_builds"`)
	_, err = Init(t.Context(), at, as("admin"), Namespace{SnapshotBytes: snapshotBytes})
	require.NoError(t, err)
	opened := map[Role]*Store{}
	for _, r := range Roles {
		opened[r] = open(t, Options{Address: at, Credentials: as(string(r)), Role: r})
	}
	task := newTask()
	opened[RoleDriver].submits(t, task)
	require.NoError(t, finishes(claims(t, opened[RoleExecutor].joins(t))))
	opened[RoleViewer].sees(t, task.ID, schema.Completed)
	opened[RoleDriver].sees(t, task.ID, schema.Completed)
	require.NoError(t, opened[RoleDriver].Close()) // else it may need what it has not said that it has applied
	for range 3 {
		opened[RoleExecutor].makes(t)
	}
	require.NoError(t, opened[RoleExecutor].removeOld(t.Context()))
	require.Greater(t, opened[RoleExecutor].firstEntry(t), uint64(1))
	for _, r := range Roles {
		require.NoError(t, opened[r].Close())
		opened[r] = open(t, Options{Address: at, Credentials: as(string(r)), Role: r})
		opened[r].sees(t, task.ID, schema.Completed)
	}
	for _, r := range Roles {
		require.NoError(t, opened[r].Close())
		require.NoError(t, opened[r].denied.err(), r)
	}
	for wants, has := range map[Role]Role{RoleExecutor: RoleDriver, RoleDriver: RoleViewer} {
		cure := fmt.Sprintf("give --store-role %s if it is the user of a %[1]s", has)
		_, err := Open(context.Background(), Options{Address: at, Credentials: as(string(has)), Role: wants})
		require.ErrorContains(t, err, `do not let this user publish to "`+at.subject(wants)+`"; give it that permission, or `+cure)
		require.Equal(t, wants == RoleExecutor, IsExecutorRefused(err))
		require.NotContains(t, err.Error(), "canary")
	}
	_, err = Open(context.Background(), Options{Address: at, Credentials: as("nobody"), Role: RoleViewer})
	require.ErrorContains(t, err, `do not let this user publish to "$JS.API.STREAM.INFO.JL_builds"`)
	require.NotErrorIs(t, err, natsgo.ErrTimeout)
}
