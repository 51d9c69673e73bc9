package nats

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// textOf is the text of a message with JSON.
func textOf(json string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(json))), json...)
}

// What a later version has written stops a process where an executor is admitted that has not said that it has other rules,
// in one line that says what to do. It is not passed over: the copies would differ. A driver stops nobody.
func TestEntriesOfLaterVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text []byte
		says string
	}{
		"part": {textOf(`[{"cancel":{"ids":[],"wish":1}}]`), `"wish"`},
		"kind": {textOf(`[{"beat":true},{"move":{"from":"a"}}]`), `"move"`},
		"text": {[]byte{200, 1, '['}, "of them are JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease})
			for _, role := range []Role{RoleDriver, RoleExecutor} {
				s.submits(t, newTask())
				id := uuid.New()
				first := textOf(fmt.Sprintf(`[{"hello":{"name":"later","host":"h","pid":1,"lease":1000000000,"rules":%d}}]`, rulesVersion))
				s.writesAs(t, role, append(head{id, 1, false}.append(nil), first...))
				s.writesAs(t, role, append(head{id, 2, false}.append(nil), c.text...))
			}
			s.stopsFor(t, c.says)
		})
	}
}

// writesAs writes an entry to the log that this version does not make.
func (s *Store) writesAs(t *testing.T, role Role, piece []byte) {
	_, err := s.journal.(*streamJournal).js.Publish(t.Context(), s.options.Address.subject(role), piece)
	require.NoError(t, err)
}

// stopsFor says that a process stops, and why, and that none starts.
func (s *Store) stopsFor(t *testing.T, why string) {
	err := <-s.Failed()
	require.ErrorContains(t, err, why)
	require.ErrorContains(t, err, "another version of jobline has written it: end this process, and start it with the version that the others have")
	require.NotContains(t, err.Error(), "\n")
	require.Contains(t, refused(t, s.options.Address, Credentials{}), why)
	require.NoError(t, s.Close())
}

// A snapshot with something that this version does not know is not read.
func TestSnapshotsOfLaterVersions(t *testing.T) {
	t.Parallel()
	later := withHead(t, newMachine(func() {}).state(t), `{"entry":`, `{"wish":1,"entry":`)
	_, _, err := restoreMachine(bufio.NewReader(bytes.NewReader(later)), func() {})
	require.ErrorContains(t, err, `"wish"`)
}

// withHead is a snapshot with something else in its head.
func withHead(t *testing.T, written []byte, old, text string) []byte {
	size, used := binary.Uvarint(written)
	head := string(written[used+4:][:size])
	require.Contains(t, head, old)
	other := []byte(strings.Replace(head, old, text, 1))
	made := binary.BigEndian.AppendUint32(binary.AppendUvarint(nil, uint64(len(other))), crc32.ChecksumIEEE(other))
	return slices.Concat(made, other, written[used+4+int(size):])
}

var updateFormat = flag.Bool("update", false, "write down what the format of the log is now")

// formatChanged is what to do where a test of the format fails.
const formatChanged = "another version that reads this log or this snapshot would know something else: raise rulesVersion, or see that no version " +
	"with rules %d was released, and run: go test ./executor/store/nats -run Format -update"

// All that can be in an entry or in the head of a snapshot is noted with the version of the rules. A version that has more must have
// other rules, because one that has less refuses it.
func TestFormatOfEntries(t *testing.T) {
	t.Parallel()
	all := []string{fmt.Sprint("rules ", rulesVersion)}
	all = append(all, membersOf("entry", reflect.TypeFor[change]())...)
	all = append(all, membersOf("snapshot", reflect.TypeFor[machineState]())...)
	text := strings.Join(all, "\n") + "\n"
	if *updateFormat {
		require.NoError(t, os.WriteFile("testdata/format.txt", []byte(text), 0o600))
	}
	noted, err := os.ReadFile("testdata/format.txt")
	require.NoError(t, err)
	require.Equal(t, string(noted), text, formatChanged, rulesVersion)
}

// membersOf are the members that JSON of a type may have, with their types.
func membersOf(name string, of reflect.Type) (all []string) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8 {
		of = of.Elem()
	}
	_, writesItself := reflect.PointerTo(of).MethodByName("MarshalText")
	if of.Kind() != reflect.Struct || writesItself {
		return []string{name + " " + of.String()}
	}
	for i := range of.NumField() {
		f := of.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
			all = append(all, membersOf(name, f.Type)...)
		case tag != "":
			all = append(all, membersOf(name+"."+tag, f.Type)...)
		}
	}
	return all
}

// A log that was written down makes the copy that it made then. Where it does not, versions of the same rules would
// differ, and tasks could end otherwise than they have ended.
func TestFormatOfALog(t *testing.T) {
	t.Parallel()
	const file = "testdata/log.json.gz"
	if *updateFormat {
		written := writeLog(t)
		written.Digest, written.Sum = written.copied(t)
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		require.NoError(t, json.MarshalWrite(w, written))
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	}
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	var written writtenLog
	require.NoError(t, json.UnmarshalRead(r, &written))
	digest, sum := written.copied(t)
	require.Equal(t, written.Digest, digest, formatChanged, rulesVersion)
	require.Equal(t, written.Sum, sum, formatChanged, rulesVersion)
}

// writtenLog is a log, and what a copy knows behind it.
type writtenLog struct {
	Entries []writtenEntry `json:"entries"`
	Digest  uint64         `json:"digest,string"`
	Sum     []byte         `json:"sum"` // of a snapshot
}

type writtenEntry struct {
	At    schema.Time `json:"at"`
	Role  Role        `json:"role"`
	Piece []byte      `json:"piece"`
}

func (w *writtenLog) copied(t *testing.T) (digest uint64, sum []byte) {
	s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
	defer func() { require.NoError(t, s.machine.tasks.Close()) }()
	for i, e := range w.Entries {
		require.NoError(t, s.applyEntry(entry{uint64(i + 1), e.At, e.Role, e.Piece}))
	}
	all := sha256.Sum256(s.machine.state(t))
	return s.machine.tasks.Digest(), all[:]
}
