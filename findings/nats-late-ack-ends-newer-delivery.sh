#!/usr/bin/env bash
# nats-server 2.15.3, nats.go 1.55.0: the acknowledgement of a delivery that has timed out ends the newer
# delivery of the same message, and every party is told that its own acknowledgement was accepted.
#
# Seen: a message of a work queue is delivered, and its AckWait of one second passes. It is delivered to a
# second worker. Then the first one calls DoubleAck on the old delivery. It succeeds, and the
# message leaves the stream while the second worker still works on it. InProgress and DoubleAck of the
# second worker succeed, too.
#
# The reply subject of a delivery names the message and the number of the delivery, but the number is not
# compared. So an acknowledgement is no proof that a worker still had its task, and a delivery is no
# lease.
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

// serve starts a server on the folder, and connects to it.
func serve(dir string) (*server.Server, jetstream.JetStream) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir,
	})
	check(err)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		log.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	check(err)
	js, err := jetstream.New(nc)
	check(err)
	return s, js
}

func main() {
	ctx := context.Background()
	_, js := serve("store")
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "tasks", Subjects: []string{"task.>"}, Retention: jetstream.WorkQueuePolicy,
	})
	check(err)
	_, err = js.Publish(ctx, "task.1", nil)
	check(err)
	workers, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second,
	})
	check(err)
	first, err := workers.Next()
	check(err)
	time.Sleep(1200 * time.Millisecond)
	second, err := workers.Next()
	check(err)
	delivery, err := second.Metadata()
	check(err)
	late := first.DoubleAck(ctx)
	info, err := stream.Info(ctx)
	check(err)
	renewed, ended := second.InProgress(), second.DoubleAck(ctx)
	seen := fmt.Sprintf("delivery %d; late acknowledgement: %v; messages left: %d; the newer delivery: %v, %v",
		delivery.NumDelivered, late, info.State.Msgs, renewed, ended)
	fmt.Println(seen)
	if seen != "delivery 2; late acknowledgement: <nil>; messages left: 0; the newer delivery: <nil>, <nil>" {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
