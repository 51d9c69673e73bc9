package cmd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jobline/jobline/rpc/socket"
)

// Scope says where the server of a user, or of a project, has its files. Clients that
// find the same scope share the server.
type Scope struct {
	Socket string // on which the server listens
	Lock   string // the file whose lock the server has
	State  string // the folder of Store and Log
	Store  string
	Log    string
	Dir    string // where commands run for which no directory is named
	// namespace is the queue of many machines that the server has, or nil. Store is then its address.
	namespace *namespace
	// noState is why there is no State, Store and Log, or nil. A server that runs
	// already is found without them.
	noState error
}

const (
	// socketVariable names the socket in the environment.
	socketVariable = envPrefix + "SOCKET"
	// projectMark is the folder or file that makes a folder a project.
	projectMark = ".jobline"
	// defaultScope is the name of the user's own scope.
	defaultScope = "default"
	socketSuffix = ".sock"
)

// scope finds where the server is that the options name: by --store, --socket or --project, by the
// variable JOBLINE_SOCKET or JOBLINE_STORE, or else the one of the user.
func (p *Program) scope(o *targetOptions) (Scope, error) {
	home, _ := os.UserHomeDir()
	s := Scope{Dir: home}
	if err := o.check(); err != nil {
		return s, err
	}
	name, err := s.named(p.Name, o)
	if err != nil {
		return s, err
	}
	if s.Socket == "" {
		s.Socket = filepath.Join(runtimeFolder(p.Name), name+socketSuffix)
	}
	s.Lock = socket.LockPath(s.Socket)
	var state string
	if state, s.noState = stateFolder(p.Name); s.noState == nil {
		s.State = filepath.Join(state, name)
		s.Store, s.Log = filepath.Join(s.State, "jobline.db"), filepath.Join(s.State, "serve.log")
	}
	if s.namespace != nil {
		s.Store = s.namespace.address.String()
	}
	return s, nil
}

// named sets what the options of a program say of a scope, and answers its name.
func (s *Scope) named(program string, o *targetOptions) (name string, err error) {
	if s.namespace, err = o.namespace(program); err != nil {
		return "", err
	}
	path, err := o.socketPath()
	switch {
	case s.namespace != nil:
		return s.namespace.name()
	case err != nil:
		return "", err
	case path != "":
		s.Socket = path
		return "s-" + digestOf(path), nil
	case o.project != "":
		s.Dir, err = projectOf(o.project)
		return "p-" + digestOf(s.Dir), err
	}
	return defaultScope, nil
}

// socketPath is the path that --socket or its variable gives, or "". A flag wins over
// the variable, --project, too. It may be written as for serve --listen.
func (o *targetOptions) socketPath() (string, error) {
	path := o.socket
	if o.project == "" {
		path = o.orVariable("socket", path)
	}
	if path == "" {
		return "", nil
	}
	return filepath.Abs(strings.TrimPrefix(path, addressPrefix))
}

// digestOf makes a short name of a path.
func digestOf(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}

// projectOf is the nearest folder, from dir upward, that is a project.
func projectOf(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", usagef("--project: %v", err)
	}
	for at := real; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, projectMark)); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", usagef("--project: there is no %s in %s, nor in a folder above it; mkdir %s makes that folder a project", projectMark, dir, filepath.Join(dir, projectMark))
		}
	}
}

// runtimeFolder is where the sockets of a program are: the folder that the system has
// made for what belongs to the user's processes, or else a private one among the
// temporary files.
func runtimeFolder(program string) string {
	user := strconv.Itoa(os.Getuid())
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run/user/" + user} {
		if isPrivate(dir) {
			return filepath.Join(dir, program)
		}
	}
	return filepath.Join(os.TempDir(), program+"-"+user)
}

// isPrivate reports whether a folder is there that only this user can use. A variable
// that came through su or sudo names one of another user.
func isPrivate(dir string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && info.Mode().Perm()&0o077 == 0 && belongsToUs(info)
}

// stateFolder is where a program keeps what outlives its processes.
func stateFolder(program string) (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, program), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", errors.New("there is no place for the tasks of a server: HOME is not set; set it, or XDG_STATE_HOME, or use --local")
	}
	return filepath.Join(home, ".local", "state", program), nil
}

// hasStore reports whether a server of the scope has kept anything.
func (s *Scope) hasStore() bool {
	if s.noState != nil {
		return false
	}
	_, err := os.Lstat(s.Store)
	return err == nil
}

// cureOfState says what to do where nothing can be written to the state.
const cureOfState = "make room and let this user write there, or name another place by XDG_STATE_HOME"

// makeState makes the folder of the state, for this user alone.
func (s *Scope) makeState() error {
	if s.noState != nil {
		return s.noState
	}
	err := os.MkdirAll(s.State, 0o700)
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("the folder %s for the tasks of a server cannot be made: %s: %w; make it writable, set XDG_STATE_HOME to another, or use --local", s.State, pathError.Path, pathError.Err)
	}
	return err
}

// probeBytes is how many bytes a server must be able to write at its start.
const probeBytes = 64 << 10

// tryWrite says why too little can be written to the folder of the state, or nil.
func (s *Scope) tryWrite() error {
	f, err := os.CreateTemp(s.State, "probe-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
