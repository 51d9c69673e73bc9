#!/usr/bin/env bash
# nats-server 2.15.3: a publish that is repeated with its message id and its condition is told something else
# by a stream with one replica than by one with three.
#
# Seen: a message is published with Nats-Msg-Id and the condition that its subject has no message yet, and
# then once more, as after a lost acknowledgement. With three replicas the repeat is acknowledged as a duplicate. With
# one replica it is refused with 10071, wrong last sequence: the condition is looked at before the id.
#
# So code that was tried with one server takes its own write for that of another, and code that was tried
# with a cluster takes 10071 for "another one was first". To know who wrote, read the message
# back, and let it say who its writer is.
#
# Exits 0 while this is so, and 1 when it has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.25

require (
	github.com/nats-io/nats-server/v2 v2.15.3
	github.com/nats-io/nats.go v1.55.0
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// freePort is a port of the loopback that nobody listens on.
func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// cluster starts three servers and answers the address of one.
func cluster(dir string) string {
	var routes []*url.URL
	var ports []int
	for range 3 {
		port := freePort()
		ports = append(ports, port)
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	var address string
	for i, port := range ports {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, 
			JetStream: true, StoreDir: filepath.Join(dir, fmt.Sprint("n", i)),
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		check(err)
		s.Start()
		address = s.ClientURL()
	}
	return address
}

// create makes a stream, as soon as the cluster has a leader.
func create(ctx context.Context, js jetstream.JetStream, name string, replicas int) {
	for {
		try, done := context.WithTimeout(ctx, time.Second)
		_, err := js.CreateStream(try, jetstream.StreamConfig{
			Name: name, Subjects: []string{name + ".>"}, Replicas: replicas,
		})
		done()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			log.Fatal(err)
		}
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, err := nats.Connect(cluster("."), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond))
	check(err)
	js, err := jetstream.New(nc)
	check(err)
	seen := ""
	for _, replicas := range []int{1, 3} {
		name := fmt.Sprint("replicas", replicas)
		create(ctx, js, name, replicas)
		for range 2 {
			ack, err := js.Publish(ctx, name+".task", nil,
				jetstream.WithMsgID("one"), jetstream.WithExpectLastSequencePerSubject(0))
			var refused *jetstream.APIError
			switch {
			case errors.As(err, &refused):
				seen += fmt.Sprintf("%s: %d; ", name, refused.ErrorCode)
			case err != nil:
				log.Fatal(err)
			default:
				seen += fmt.Sprintf("%s: duplicate %v; ", name, ack.Duplicate)
			}
		}
	}
	fmt.Println(seen)
	if seen != "replicas1: duplicate false; replicas1: 10071; replicas3: duplicate false; replicas3: duplicate true; " {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
