package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/rpc/socket"
)

// served is what a server notes of a socket on which it listens. A command that finds nobody there must
// not start a server with another store in its place: the tasks would seem to be lost, and the
// server that has them could not start again.
type served struct {
	Store string    `json:"store"` // the absolute path of a file, or the address of a namespace
	Role  nats.Role `json:"role,omitzero"`
}

// servedSuffix is appended to the path of a socket for the note of its server.
const servedSuffix = ".served"

// servedPath is the file with the note of the server of a socket. It is beside the socket. The folder of
// the sockets of a program is emptied when the system starts, so notes of those are in the state.
func (p *Program) servedPath(path string) string {
	folder, name := filepath.Dir(path), filepath.Base(path)
	state, err := stateFolder(p.Name)
	if err == nil && resolved(folder) == resolved(runtimeFolder(p.Name)) {
		return filepath.Join(state, strings.TrimSuffix(name, socketSuffix), strings.TrimPrefix(servedSuffix, "."))
	}
	return path + servedSuffix
}

// resolved is a path without symbolic links, where that can be told.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// noteServed notes what this server has on each of its sockets. Tasks in memory are gone with their
// server, so there is nothing to go back to.
func (o *serveOptions) noteServed() error {
	paths, err := o.listen.paths()
	note := served{Store: o.store.file}
	if address, bad := nats.ParseAddress(note.Store); nats.IsAddress(note.Store) && bad == nil {
		note.Store, note.Role = address.String(), o.store.role
	} else if note.Store != "" && err == nil {
		note.Store, err = filepath.Abs(note.Store)
	}
	for _, path := range paths {
		if path, e := filepath.Abs(path); err == nil {
			err = errors.Join(e, o.program.writeServed(path, note))
		}
	}
	return err
}

// writeServed writes or removes the note of a socket.
func (p *Program) writeServed(path string, note served) error {
	file := p.servedPath(path)
	if note.Store == "" {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return replaceFile(file, text)
}

// anotherServed is the error for a command that would start a server of the scope where the last one on
// its socket had another store, or nil.
func (p *Program) anotherServed(s *Scope) error {
	file := p.servedPath(s.Socket)
	text, err := os.ReadFile(file)
	var note served
	if err != nil || json.Unmarshal(text, &note) != nil || note.Store == "" || resolved(note.Store) == resolved(s.Store) {
		return nil // there was none, or it had the same
	}
	role := ""
	if note.Role != "" && note.Role != nats.RoleExecutor {
		role = " --store-role " + string(note.Role)
	}
	return &anotherServedError{fmt.Sprintf("the server of %s is not running, which was on %s; start it, with its other flags, by: %s serve --store %s%s --listen %s%s; "+
		"to have another queue there, remove %s", note.Store, s.Socket, p.Name, show.ShellWord(note.Store), role, addressPrefix, show.ShellWord(s.Socket), show.ShellWord(file))}
}

// An anotherServedError says that no server listens on a socket whose server had another store.
type anotherServedError struct{ text string }

func (e *anotherServedError) Error() string { return e.text }

// Unwrap makes the error one that says that no server listens.
func (*anotherServedError) Unwrap() error { return socket.ErrNobodyListens }
