package natstest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// nodeEnv makes the program of a test a server of a cluster.
const nodeEnv = "JOBLINE_TEST_NATS_NODE"

// Node is a server of a cluster in a process of its own, which can be killed. Its URL and its files stay
// the same.
type Node struct {
	Name string
	URL  string

	about   nodeAbout
	process *exec.Cmd
	in      io.WriteCloser
	said    *json.Decoder
}

// nodeAbout is what the process of a node is told.
type nodeAbout struct {
	Number   int
	Folder   string
	Port     int
	Ports    []int // of the cluster, by number
	MaxStore int64 // bytes that it may have on its disk; 0 is no limit
}

// Nodes starts a cluster, each server in a process of its own, and waits until it has a leader. They end with
// the test.
func Nodes(t testing.TB, folder string, size int) (all []*Node) {
	t.Helper()
	ports, err := freePorts(2 * size)
	if err != nil {
		t.Fatal(err)
	}
	for i := range size {
		n := &Node{Name: fmt.Sprintf("s%d", i), about: nodeAbout{Number: i, Folder: folder, Port: ports[size+i], Ports: ports[:size]}}
		t.Cleanup(func() { _ = n.Kill() })
		all = append(all, n)
	}
	if err := startAll(all); err != nil {
		t.Fatal(err)
	}
	return all
}

func startAll(all []*Node) error {
	for _, n := range all {
		if err := n.launch(0); err != nil {
			return err
		}
	}
	for _, n := range all {
		if err := n.awaits(); err != nil {
			return err
		}
	}
	for end := time.Now().Add(startPatience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, n := range all {
			now, err := n.ask()
			if err != nil || now.Leads {
				return err
			}
		}
	}
	return fmt.Errorf("a cluster of %d servers has no leader after %v", len(all), startPatience)
}

// Start starts a server that has ended. maxStore is how many bytes it may have on its disk, 0 for no limit.
func (n *Node) Start(maxStore int64) error {
	if err := n.launch(maxStore); err != nil {
		return err
	}
	return n.awaits()
}

// launch starts the process.
func (n *Node) launch(maxStore int64) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	n.about.MaxStore = maxStore
	text, err := json.Marshal(n.about)
	if err != nil {
		return err
	}
	n.process = exec.Command(program)
	n.process.Env = append(os.Environ(), nodeEnv+"="+string(text))
	n.process.Stderr = os.Stderr
	out, err := n.process.StdoutPipe()
	if err != nil {
		return err
	}
	if n.in, err = n.process.StdinPipe(); err != nil {
		return err
	}
	n.said = json.NewDecoder(out)
	return n.process.Start()
}

// awaits waits until the server can be used.
func (n *Node) awaits() error { return n.said.Decode(&n.URL) }

// nodeState is what a node says of itself.
type nodeState struct {
	Stored int64 // bytes on its disk
	Leads  bool  // the cluster
}

func (n *Node) ask() (now nodeState, err error) {
	if _, err = io.WriteString(n.in, "\n"); err == nil {
		err = n.said.Decode(&now)
	}
	return now, err
}

// Stored is how many bytes the server has on its disk.
func (n *Node) Stored() (int64, error) {
	now, err := n.ask()
	return now.Stored, err
}

// Stop lets the server end.
func (n *Node) Stop() error {
	_ = n.in.Close()
	return n.process.Wait()
}

// Kill ends the server as the death of its process does. One that has ended stays that.
func (n *Node) Kill() error {
	if n.process == nil || n.process.ProcessState != nil {
		return nil
	}
	err := n.process.Process.Kill()
	if failed := new(exec.ExitError); !errors.As(n.process.Wait(), &failed) {
		err = errors.Join(err, errors.New("the server has ended by itself"))
	}
	return err
}

// runNode is the process of a node. It answers each line with its nodeState, until there are no more lines.
func runNode(text string) {
	var about nodeAbout
	err := json.Unmarshal([]byte(text), &about)
	if err == nil {
		err = about.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (n *nodeAbout) serve() error {
	o := options(n.Number, n.Folder)
	o.Port, o.JetStreamMaxStore = n.Port, n.MaxStore
	o.MaxPayload = 64 << 10 // so that little is a message of several
	cluster(o, n.Ports[n.Number], routesTo(n.Ports))
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(startPatience) {
		return fmt.Errorf("the server %s takes no connections after %v", o.ServerName, startPatience)
	}
	says := json.NewEncoder(os.Stdout)
	err = says.Encode(s.ClientURL())
	for lines := bufio.NewScanner(os.Stdin); err == nil && lines.Scan(); {
		var now *server.JSInfo
		if now, err = s.Jsz(nil); err == nil {
			err = says.Encode(nodeState{int64(now.Store), s.JetStreamIsLeader()})
		}
	}
	s.Shutdown()
	s.WaitForShutdown()
	return err
}
