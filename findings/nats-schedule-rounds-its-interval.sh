#!/usr/bin/env bash
# nats-server 2.15.3: a message schedule "@every 1.4s" is due each second, "@every 1.5s" each two
# seconds, and "@every 2.5s" each three.
#
# Seen: the header Nats-Schedule-Next of the messages that such a schedule makes goes on by whole seconds, and the
# messages come at these times. The first interval alone is the one that was asked for. A duration below a
# second is refused as an invalid pattern; one with a part of a second is taken, and its acknowledgement
# says nothing.
#
# By the source (server/scheduler.go) the time at which a schedule was due is rounded to the second before
# the duration, which time.ParseDuration has read, is added. Half a second is always rounded up. So the
# interval is a third shorter than said, or a third longer, and not in the mean what it should be.
#
# Who wants a rate of messages takes whole seconds.
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
	"slices"
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

func connect(dir string) jetstream.JetStream {
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
	return js
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	js := connect("store")
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "ticks", Subjects: []string{"plan.*", "due.*"}, AllowMsgSchedules: true,
	})
	check(err)
	intervals := []string{"1s", "1400ms", "1500ms", "2500ms"}
	for _, every := range intervals {
		m := nats.NewMsg("plan." + every)
		m.Header.Set("Nats-Schedule", "@every "+every)
		m.Header.Set("Nats-Schedule-Target", "due."+every)
		_, err := js.PublishMsg(ctx, m)
		check(err)
	}
	seen := ""
	for _, every := range intervals {
		ticks, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{FilterSubject: "due." + every})
		check(err)
		var next []time.Time
		for range 5 {
			m, err := ticks.Next(jetstream.FetchMaxWait(10 * time.Second))
			check(err)
			at, err := time.Parse(time.RFC3339Nano, m.Headers().Get("Nats-Schedule-Next"))
			check(err)
			next = append(next, at)
		}
		var apart []time.Duration
		for i := 1; i < len(next); i++ {
			apart = append(apart, next[i].Sub(next[i-1]))
		}
		slices.Sort(apart)
		seen += fmt.Sprintf("@every %s is each %v; ", every, apart[len(apart)/2])
	}
	fmt.Println(seen)
	if seen != "@every 1s is each 1s; @every 1400ms is each 1s; @every 1500ms is each 2s; @every 2500ms is each 3s; " {
		fmt.Println("This has changed.")
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
