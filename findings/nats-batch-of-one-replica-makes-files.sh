#!/usr/bin/env bash
# nats-server 2.15.3: an atomic batch into a stream of one replica on disk takes 100 times as
# long and more as the same messages without a batch, although the server's sync_interval is
# two minutes.
#
# Seen: each batch is first written into a file store of its own,
# streams/NAME/batches/ID, with files that are synced (3 fsync for a batch of two), and only
# then into the stream. One message takes 8 us, a batch of two 1.8 ms. A stream in memory
# takes 13 us for the batch. By the source (server/jetstream_batching.go) a stream with
# replicas keeps its batches in memory, too: in a cluster of three nodes a batch costs no sync.
#
# Who writes small batches to one server gets hundreds of them a second, and thousands from
# three. Messages that have conditions of their own are better sent one by one there.
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
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// typical is the median time of 60 calls.
func typical(call func()) time.Duration {
	var took []time.Duration
	for range 60 {
		began := time.Now()
		call()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

var batches int

// batch publishes two messages as one atomic batch, and leaves it open unless commit is set.
func batch(c *nats.Conn, subject string, commit bool) {
	batches++
	for i := 1; i <= 2; i++ {
		m := nats.NewMsg(subject)
		m.Header.Set("Nats-Batch-Id", strconv.Itoa(batches))
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i))
		m.Data = []byte("hello")
		if i == 1 {
			check(c.PublishMsg(m))
			continue
		}
		if commit {
			m.Header.Set("Nats-Batch-Commit", "1")
		}
		_, err := c.RequestMsg(m, 5*time.Second)
		check(err)
	}
}

func main() {
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: "data", DontListen: true, NoLog: true, NoSigs: true})
	check(err)
	s.Start()
	defer s.Shutdown()
	c, err := nats.Connect("", nats.InProcessServer(s))
	check(err)
	js, err := jetstream.New(c)
	check(err)
	ratio := map[string]float64{}
	for name, storage := range map[string]jetstream.StorageType{"disk": jetstream.FileStorage, "memory": jetstream.MemoryStorage} {
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{
			Name: name, Subjects: []string{name}, Storage: storage, AllowAtomicPublish: true,
		})
		check(err)
		one := typical(func() { _, err := js.Publish(context.Background(), name, []byte("hello")); check(err) })
		two := typical(func() { batch(c, name, true) })
		ratio[name] = float64(two) / float64(one)
		fmt.Printf("%s: one message %v, a batch of two %v\n", name, one, two)
	}
	batch(c, "disk", false)
	files, err := filepath.Glob("data/jetstream/$G/streams/disk/batches/*/msgs/*.blk")
	check(err)
	fmt.Println("files of an open batch:", len(files))
	if ratio["disk"] < 10 || ratio["memory"] > 10 || len(files) == 0 {
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
