#!/bin/sh
# Runs tasks on jobline from a POSIX shell, without any other tool.
set -eu

pipes=$(mktemp -d)
trap 'rm -rf "$pipes"' EXIT
mkfifo "$pipes/in" "$pipes/out"
jobline serve <"$pipes/in" >"$pipes/out" &
server=$!
exec 3>"$pipes/in" 4<"$pipes/out"

number=0
seen=

# receive PATTERN reads messages until one matches, into $message. The names
# of the notifications on the way gather in $seen, each once.
receive() {
  while IFS= read -r message <&4; do
    case $message in *'"method":"task/'*)
      name=${message#*'"method":"task/'} name=${name%%\"*}
      case " $seen " in *" $name "*) ;; *) seen="$seen $name" ;; esac
    esac
    case $message in $1) return ;; esac
  done
  return 1
}

# call METHOD PARAMS leaves the reply in $message.
call() {
  number=$((number + 1))
  printf '{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' "$number" "$1" "$2" >&3
  receive "*\"id\":$number,*"
}

# text NAME is the first member of that name in $message that is a string,
# bare NAME one that is a number, true or false.
text() { rest=${message#*"\"$1\":\""}; printf '%s' "${rest%%\"*}"; }
bare() { rest=${message#*"\"$1\":"}; printf '%s' "${rest%%[,\}]*}"; }
known() { case $message in *'"existing":true'*) echo true ;; *) echo false ;; esac; }

# An id of our own makes it safe to submit again: any UUID will do.
nap=7d1b2c9e-0b6f-4c55-9d0e-3a4f5b6c7d8e
submit_nap='{"id":"'$nap'","type":"sleep","input":{"durationMs":50,"progressEveryMs":10}}'
call submit "$submit_nap"
echo "submitted sleep, known before: $(known)"
call submit "$submit_nap"
echo "submitted sleep, known before: $(known)"
call wait '{"ids":["'$nap'"]}'
echo "sleep $(text state) after$seen"

seen=
call submit '{"type":"exec","input":{"argv":["echo","héllo ✓"]},"events":["started","progress","output","finished"]}'
echo=$(text id)
receive '*"method":"task/output"*'
data=$(text data)
echo "exec wrote ${data%\\n}"
receive '*"method":"task/finished"*'
echo "exec $(text state) after$seen"

call submit '{"type":"slep"}'
echo "error $(bare code) $(text kind) retryable: $(bare retryable)"

seen=
call submit '{"type":"exec","input":{"argv":["sleep","600"]}}'
long=$(text id)
receive '*"method":"task/started"*'
call cancel '{"id":"'"$long"'","reason":"enough"}'
echo "cancel: $(text outcome)"
call wait '{"ids":["'"$long"'"]}'
echo "exec $(text state) after$seen"
call wait '{"ids":["'"$nap"'","'"$echo"'","'"$long"'"]}'
states=
while case $message in *'"state":"'*) true ;; *) false ;; esac; do
  states="$states $(text state)"
  message=${message#*'"state":"'}
done
echo "all:$states"

call shutdown '{}'
echo "shutdown, left: $(bare left)"
wait "$server" && echo "exit $?"
