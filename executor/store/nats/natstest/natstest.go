// Package natstest runs NATS servers for tests: in the process of the test, or in another one that
// is the test's program again. The program itself has no NATS server in it.
package natstest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// helperEnv makes the program of a test a cluster of so many servers, with their files in a folder.
const helperEnv, helperFolder = "JOBLINE_TEST_NATS_SERVERS", "JOBLINE_TEST_NATS_FOLDER"

// startPatience is how long a cluster may take to have a leader.
const startPatience = time.Minute

// Main is for the beginning of TestMain: it does not return in a process that Process has started.
func Main() {
	if text := os.Getenv(nodeEnv); text != "" {
		runNode(text)
	}
	size, err := strconv.Atoi(os.Getenv(helperEnv))
	if err != nil {
		return
	}
	all, err := Start(os.Getenv(helperFolder), size)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(all.URLs())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends, however it does
	all.Stop()
	os.Exit(0)
}

// Program is a command for scripts: natsserver FOLDER FILE [nojetstream|again] runs one server with its
// files in a folder until it is killed, and writes its URL to a file when it can be used. Again is at the URL
// that the file has.
func Program() {
	all, err := Start(os.Args[1], 1, func(o *server.Options) {
		switch more := os.Args[3:]; {
		case len(more) > 0 && more[0] == "again":
			o.Port = portIn(os.Args[2])
		case len(more) > 0:
			o.JetStream = false
		}
	})
	if err == nil {
		err = os.WriteFile(os.Args[2], []byte(all.URLs()[0]), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// portIn is the port of the URL in a file.
func portIn(file string) int {
	text, err := os.ReadFile(file)
	if err == nil {
		var u *url.URL
		if u, err = url.Parse(string(text)); err == nil {
			port, _ := strconv.Atoi(u.Port()) // 0 makes the server refuse it
			return port
		}
	}
	panic(err)
}

// Process starts a cluster in a process of its own, which ends with the test's process or when stop
// is called. It answers the URLs of the servers.
func Process(t testing.TB, folder string, size int) (urls []string, stop func()) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), helperEnv+"="+strconv.Itoa(size), helperFolder+"="+folder)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &urls)
	}
	if err != nil {
		t.Fatalf("a cluster of %d servers: %v", size, err)
	}
	return urls, func() {
		_ = in.Close()
		_ = c.Wait()
	}
}

// Cluster is servers of one cluster in this process.
type Cluster []*Server

// Server is one of a cluster. Its clients stay with the URLs that they were given: it tells them no
// others.
type Server struct {
	*server.Server
	options *server.Options
}

// Restart starts a server that was shut down, with the same files and the same URL.
func (s *Server) Restart(set ...func(*server.Options)) error {
	o := s.options.Clone()
	for _, f := range set {
		f(o)
	}
	again, err := server.NewServer(o)
	if err != nil {
		return err
	}
	again.Start()
	s.Server = again
	if !again.ReadyForConnections(startPatience) {
		return fmt.Errorf("the server %s takes no connections after %v", o.ServerName, startPatience)
	}
	return nil
}

// Start starts a cluster, and waits until it has a leader. Each message is synced before it is
// acknowledged. The files of the servers are in folders below the one given.
func Start(folder string, size int, set ...func(*server.Options)) (Cluster, error) {
	ports, err := freePorts(size)
	if err != nil {
		return nil, err
	}
	routes := routesTo(ports)
	var all Cluster
	for i, port := range ports {
		o := options(i, folder)
		if size > 1 {
			cluster(o, port, routes)
		}
		for _, f := range set {
			f(o)
		}
		s, err := server.NewServer(o)
		if err != nil {
			all.Stop()
			return nil, err
		}
		s.Start()
		all = append(all, &Server{s, o})
	}
	for end := time.Now().Add(startPatience); !all.ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			all.Stop()
			return nil, fmt.Errorf("a cluster of %d servers has no leader after %v", size, startPatience)
		}
	}
	for _, s := range all {
		s.options.Port = s.Addr().(*net.TCPAddr).Port
	}
	return all, nil
}

// options are those of the server with a number, which syncs each message, without a cluster.
func options(number int, folder string) *server.Options {
	return &server.Options{
		ServerName: fmt.Sprintf("s%d", number), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true,
		StoreDir: filepath.Join(folder, strconv.Itoa(number)), SyncAlways: true,
	}
}

func cluster(o *server.Options, port int, routes []*url.URL) {
	o.Cluster, o.Routes = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port, NoAdvertise: true}, routes
}

// routesTo are where the servers of a cluster find each other.
func routesTo(ports []int) (routes []*url.URL) {
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	}
	return routes
}

// freePorts are ports that nobody listens on. The servers of a cluster need those of the others
// before any has started.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func (all Cluster) ready() bool {
	led := len(all) == 1
	for _, s := range all {
		if !s.ReadyForConnections(time.Millisecond) || len(all) > 1 && s.NumRoutes() == 0 {
			return false
		}
		led = led || s.JetStreamIsLeader()
	}
	return led
}

// URLs are where clients connect.
func (all Cluster) URLs() (urls []string) {
	for _, s := range all {
		urls = append(urls, s.ClientURL())
	}
	return urls
}

// Stop ends the servers.
func (all Cluster) Stop() {
	for _, s := range all {
		s.Shutdown()
		s.WaitForShutdown()
	}
}
