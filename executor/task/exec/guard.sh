# What outlives the server by a moment: see guard_unix.go. $1 is the id of the
# server, $2 the control group of its commands or nothing, and file 3 the
# table of the process groups.

# ours answers whether /proc numbers the processes as this shell does: another PID
# namespace's shows strangers under the numbers of our processes.
ours() {
	own=
	while read -r name number inner; do
		case $name in
		Pid:) own=$number ;;
		NSpid:) own=$number$inner ;; # with a number in a namespace within
		esac
	done </proc/self/status
	[ "$own" = "$$" ]
}

# mark lists in $marked the environments that have the id $1 in them. Not
# every grep reads on behind a NUL byte; the shell does, but slowly.
mark() {
	if printf 'x\0%s' "$1" | grep -qF "$1"; then
		marked=$(grep -lsF "$1" /proc/[0-9]*/environ)
		return
	fi
	marked=
	for file in /proc/[0-9]*/environ; do
		text= line=
		while read -r line; do text=$text$line; done <"$file"
		case $text$line in
		*"$1"*) marked="$marked $file" ;;
		esac
	done
}

# family kills what is marked as kin, and all that has come of that: whoever's
# parent is kin is kin. The families of groups are killed before their groups:
# who is killed shows no children any more. Nothing but the shell itself is used
# for it, since a fork bomb may leave no process to be had.
family() {
	set -- /proc/[0-9]*
	for dir; do
		pid=${dir#/proc/}
		stat=
		while read -r line; do stat="$stat $line"; done <"$dir/stat"
		stat=${stat##*) ? } # the name ends with the last parenthesis
		parent=${stat%% *}
		stat=${stat#* }
		group=${stat%% *}
		stat=${stat#* }
		eval "parent_$pid=$parent found=\$group_$group\$group_${stat%% *}" # its session's
		[ "$found" ] && eval "kin_$pid=1"
	done
	grown=1
	while [ "$grown" ]; do # children may stand before their parents
		grown=
		for dir; do
			pid=${dir#/proc/}
			eval "known=\$kin_$pid parent=\$parent_$pid"
			eval "found=\$kin_$parent"
			[ "$found" ] && [ -z "$known" ] || continue
			kill -STOP "$pid"
			eval "kin_$pid=1"
			grown=1
		done
	done
	for dir; do
		pid=${dir#/proc/}
		eval "known=\$kin_$pid kin_$pid="
		[ "$known" ] && kill -9 "$pid"
	done
}

# ended waits for a while for the end of the server's child $1, which the system
# has killed, and of the server: a group whose first process or its parent ends
# while others of it are stopped gets SIGHUP.
ended() {
	pid=$1 tries=0
	while [ $tries -lt 200 ]; do
		stat=
		while read -r line; do stat="$stat $line"; done <"/proc/$pid/stat"
		set -- ${stat##*) }
		case $1:$2:${18} in
		Z:$PPID:*) ;; # the server is on its way out
		:* | Z:*:[01]) break ;; # with more threads it is, too
		esac
		tries=$((tries+1))
	done
}

# remove removes the control group $1 and those in it, whose processes are on
# their way out. The next server does it where this cannot be done.
remove() {
	tries=0
	while [ -d "$1" ] && [ $tries -lt 20 ]; do
		[ $tries -gt 0 ] && sleep 0.05
		find "$1" -depth -type d -exec rmdir {} + || rmdir "$1"/*/ "$1"
		tries=$((tries+1))
	done
}

trap '' TERM INT HUP
read -r line
[ "$2" ] && echo 1 >"$2/cgroup.kill"
groups=
while read -r group; do
	[ "$group" ] || continue
	eval "group_$group=1"
	groups="$groups $group"
done <&3
ours && seen=1 || seen= # not every system has a /proc
[ "$seen" ] && for group in $groups; do
	kill -9 "$group"
	ended "$group"
	kill -STOP "-$group"
done
[ "$seen" ] && [ "$groups" ] && family
for group in $groups; do
	kill -9 "-$group"
	eval "group_$group="
done

# New ones can appear while it looks, hence the rounds; and one that forks and
# exits can be missed, so it takes three without any to end them.
round=0 none=0
while [ "$seen" ] && [ $round -lt 20 ] && [ $none -lt 3 ]; do
	mark "$1"
	round=$((round+1))
	none=$((none+1))
	[ "$marked" ] || continue
	none=0
	for file in $marked; do
		pid=${file#/proc/}
		pid=${pid%/environ}
		kill -STOP "$pid"
		eval "kin_$pid=1"
	done
	family
done

[ -z "$2" ] || remove "$2"
