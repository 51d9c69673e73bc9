#!/usr/bin/env bash
# Three hosts with one queue, as network namespaces of one machine. Each has a server of NATS and a
# server of jobline. One host loses its network while tasks run, and comes back.
#
# It needs Linux, root, iproute2, and jobline and nats-server in PATH. It leaves nothing behind.
set -euo pipefail

readonly net=10.213.0 work=$(mktemp -d)
export JOBLINE_SOCKET
url=nats://$net.1,$net.2,$net.3/builds

# on HOST COMMAND...: runs a command on a host, which has a name and a network of its own.
on() {
  local host=$1
  shift
  ip netns exec "jobline-h$host" unshare --uts sh -c 'hostname "h$0"; exec "$@"' "$host" "$@"
}

clean_up() {
  local host
  for host in 1 2 3; do
    ip netns pids "jobline-h$host" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
    ip netns del "jobline-h$host" 2>/dev/null || true
  done
  ip link del jobline-br 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

network() {
  local host
  ip link add jobline-br type bridge
  ip link set jobline-br up
  for host in 1 2 3; do
    ip netns add "jobline-h$host"
    ip link add "jobline-v$host" type veth peer name eth0 netns "jobline-h$host"
    ip link set "jobline-v$host" master jobline-br up
    ip -n "jobline-h$host" addr add "$net.$host/24" dev eth0
    ip -n "jobline-h$host" link set eth0 up
    ip -n "jobline-h$host" link set lo up
  done
}

nats() {
  local host
  for host in 1 2 3; do
    cat >"$work/nats$host.conf" <<CONF
server_name: n$host
listen: $net.$host:4222
jetstream { store_dir: $work/nats$host, sync_interval: always }
cluster { name: c, listen: $net.$host:6222, routes: [nats://$net.1:6222, nats://$net.2:6222, nats://$net.3:6222] }
CONF
    on "$host" nats-server -c "$work/nats$host.conf" >"$work/nats$host.log" 2>&1 &
  done
  # The cluster needs a moment for the election of its leader.
  local tries
  for tries in {1..30}; do
    on 1 jobline store init "$url" --replicas 3 2>"$work/init.err" && return
    sleep 1
  done
  cat "$work/init.err" >&2
  return 1
}

servers() {
  local host
  for host in 1 2 3; do
    on "$host" jobline serve --store "$url" --limit 2 --listen "unix:$work/h$host.sock" \
      >"$work/h$host.log" 2>&1 &
  done
  for host in 1 2 3; do
    until [ -S "$work/h$host.sock" ]; do sleep 0.1; done
  done
}

# ask HOST COMMAND...: runs a command of jobline with the server of a host.
ask() {
  JOBLINE_SOCKET=$work/h$1.sock jobline "${@:2}"
}

# ran LABEL: how many of the tasks with a label ran on each host, as their output says.
ran() {
  ask 1 list --label "$1" --json | grep -o '"id":"[^"]*' | cut -d\" -f4 | while read -r id; do ask 1 logs "$id"; done | sort | uniq -c
}

network
nats
servers

echo '== 30 tasks, submitted on h1'
seq 30 | ask 1 submit --quiet --label step=spread --each 'sleep 0.3; hostname # {}'
ask 2 wait step=spread
ran step=spread

echo '== 12 tasks that may run again; h3 loses its network'
seq 12 | ask 1 submit --quiet --rerun --label step=cut --each 'sleep 2; hostname # {}'
sleep 1
ip link set jobline-v3 down
ask 1 wait step=cut
ran step=cut

echo '== h3 is back'
ip link set jobline-v3 up
ask 3 submit --quiet --wait -- true
seq 30 | ask 3 submit --quiet --label step=back --each 'sleep 0.3; hostname # {}'
ask 3 wait step=back
ran step=back
