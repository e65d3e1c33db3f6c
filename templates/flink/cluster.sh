#!/usr/bin/env bash
# A Flink session cluster on this machine, every part a process of its own: a JobManager,
# TaskManagers with a Beam SDK worker pool each, and Beam's job server.
#
#   cluster.sh start|stop|status
#
# Needs Java 17 and Maven. As root, each TaskManager and its pool get a network namespace of
# their own, as two pods would have; otherwise there is one TaskManager. Settings (environment):
# FLINK_HOME work folder (.flink), TASKMANAGERS (2), VENV (.venv), JOB_PORT (8099), BEAM_VERSION of the
# job server and FLINK_VERSION (those of pom.xml; docs/audit.md has a table of what goes together).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
home=${FLINK_HOME:-$root/.flink}
venv=$(cd "${VENV:-$root/.venv}" && pwd)
count=${TASKMANAGERS:-2}
of_pom() { sed -n "s:.*<$1>\(.*\)</$1>.*:\1:p" "$here/pom.xml" | head -1; }
beam_version=${BEAM_VERSION:-$(of_pom beam.version)}
flink_version=${FLINK_VERSION:-$(of_pom flink.version)}
job_port=${JOB_PORT:-8099}
jar=$home/flink-$flink_version-beam-$beam_version.jar
bridge=artifactnet0
subnet=10.87.0
opens=(java.lang java.lang.invoke java.lang.reflect java.net java.nio java.text java.time java.util
  java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks)
java=(java)
for package in "${opens[@]}"; do java+=("--add-opens=java.base/$package=ALL-UNNAMED"); done
java+=("--add-opens=java.base/sun.nio.ch=ALL-UNNAMED" -XX:+UseSerialGC -XX:TieredStopAtLevel=1
  -Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")

say() { echo "flink: $*" >&2; }
die() { say "$*"; exit 1; }

# Whether this user may make network namespaces and bridges; found out once.
isolated=no
if [ "$(id -u)" = 0 ] && [ "${NAMESPACES:-1}" = 1 ] && command -v ip >/dev/null &&
  { ip link show "$bridge" >/dev/null 2>&1 || ip link add "$bridge" type bridge 2>/dev/null; } &&
  ip netns add artifactnet-probe 2>/dev/null; then
  ip netns del artifactnet-probe
  isolated=yes
fi
namespaces() { [ "$isolated" = yes ]; }
inside() { if namespaces; then ip netns exec "artifactnet-tm$1" "${@:2}"; else "${@:2}"; fi; }
address() { if namespaces; then echo "$subnet.1"; else echo 127.0.0.1; fi; }

class_path() {
  command -v java >/dev/null || die "Java is not installed (apt install openjdk-17-jdk-headless)"
  if [ ! -e "$jar" ] || [ "$jar" -ot "$here/pom.xml" ]; then
    command -v mvn >/dev/null || die "Maven is not installed (apt install maven)"
    say "fetching Flink and Beam's job server (160 jars, once)"
    rm -rf "$home/build" "$home/jars"
    mkdir -p "$home/build"
    cp "$here/pom.xml" "$home/build" # Maven builds beside its file
    mvn -q -B -f "$home/build/pom.xml" "-Dbeam.version=$beam_version" "-Dflink.version=$flink_version" package
    mv "$home/build/target/flink-session-1.jar" "$jar"
    rm -r "$home/build"
  fi
}

# run NAME COMMAND...: in the background, with its log and its process group on record.
run() {
  local name=$1; shift
  setsid "$@" >"$home/log/$name.log" 2>&1 </dev/null &
  echo $! >"$home/pid/$name"
}

wait_for() { # NAME HOST PORT [NUMBER OF A TASKMANAGER]
  for _ in $(seq 240); do
    if ${4:+inside $4} bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; then return; fi
    kill -0 "$(cat "$home/pid/$1")" 2>/dev/null || die "$1 ended; see $home/log/$1.log"
    sleep 0.25
  done
  die "$1 does not answer on $2:$3; see $home/log/$1.log"
}

start_taskmanager() {
  local n=$1 host=127.0.0.1
  if namespaces; then host="$subnet.$((n + 1))"; fi
  # The pool starts plain `python`, so the environment's must come first on its PATH.
  run "pool$n" env PATH="$venv/bin:$PATH" $(namespaces && echo ip netns exec "artifactnet-tm$n") \
    "$venv/bin/python" -m apache_beam.runners.worker.worker_pool_main --service_port=50000
  run "taskmanager$n" $(namespaces && echo ip netns exec "artifactnet-tm$n") \
    "${java[@]}" -Xmx512m -cp "$jar" \
    org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$here/conf" \
    -D "jobmanager.rpc.address=$(address)" -D "taskmanager.host=$host" \
    -D "taskmanager.bind-host=0.0.0.0" -D "taskmanager.resource-id=tm$n" \
    -D "io.tmp.dirs=$home/tmp"
  wait_for "pool$n" 127.0.0.1 50000 "$n"
}

network() {
  ip link add "$bridge" type bridge 2>/dev/null || true
  ip addr add "$subnet.1/24" dev "$bridge" 2>/dev/null || true
  ip link set "$bridge" up
  for n in $(seq "$count"); do
    local ns="artifactnet-tm$n" veth="antm$n"
    ip netns add "$ns" 2>/dev/null || true
    ip link add "$veth" type veth peer name eth0 netns "$ns" 2>/dev/null || true
    ip link set "$veth" master "$bridge" up
    ip netns exec "$ns" ip addr add "$subnet.$((n + 1))/24" dev eth0 2>/dev/null || true
    ip netns exec "$ns" ip link set eth0 up
    ip netns exec "$ns" ip link set lo up
  done
}

start() {
  [ -d "$home/pid" ] && [ -n "$(ls "$home/pid")" ] && stop
  mkdir -p "$home/log" "$home/pid" "$home/tmp"
  class_path
  if namespaces; then
    network
    # No name server answers in there, and each name that Java asks for would cost 15 s.
    java+=("-Djdk.net.hosts.file=$home/hosts")
    printf '%s\n' "127.0.0.1 localhost" "127.0.0.1 $HOSTNAME" "$subnet.1 jobmanager" >"$home/hosts"
    for n in $(seq "$count"); do echo "$subnet.$((n + 1)) taskmanager$n" >>"$home/hosts"; done
  else
    count=1
    say "without root there is one TaskManager"
  fi
  run jobmanager "${java[@]}" -Xmx512m -cp "$jar" \
    org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
    --configDir "$here/conf" -D "jobmanager.rpc.address=$(address)" \
    -D "jobmanager.bind-host=0.0.0.0" -D "rest.address=$(address)" -D "rest.bind-address=0.0.0.0" \
    -D "io.tmp.dirs=$home/tmp"
  wait_for jobmanager "$(address)" 8081
  for n in $(seq "$count"); do start_taskmanager "$n"; done
  run jobserver "${java[@]}" -Xmx512m -cp "$jar" \
    org.apache.beam.runners.flink.FlinkJobServerDriver --flink-master "$(address):8081" \
    --flink-conf-dir "$here/conf" --job-host localhost --job-port "$job_port" \
    --artifact-port 0 --expansion-port 0 --artifacts-dir "$home/tmp/artifacts"
  wait_for jobserver localhost "$job_port"
  for _ in $(seq 120); do
    [ "$(registered)" = "$count" ] && break
    sleep 0.25
  done
  [ "$(registered)" = "$count" ] || die "$(registered) of $count TaskManagers registered; see $home/log"
  say "JobManager, $count TaskManagers and the job server run; submit with"
  say "artifactnet audit ... --runner PortableRunner --job_endpoint localhost:$job_port \\"
  say "  --environment_type EXTERNAL --environment_config localhost:50000 --environment_cache_millis 60000 --parallelism 2"
}

registered() {
  "$venv/bin/python" -c "import json, urllib.request
print(json.load(urllib.request.urlopen('http://$(address):8081/overview'))['taskmanagers'])"
}

stop() {
  for pid in "$home"/pid/*; do
    [ -e "$pid" ] || continue
    kill -- "-$(cat "$pid")" 2>/dev/null || true
  done
  sleep 1
  for pid in "$home"/pid/*; do
    [ -e "$pid" ] || continue
    kill -9 -- "-$(cat "$pid")" 2>/dev/null || true
    rm -f "$pid"
  done
  if namespaces; then
    for ns in $(ip netns list | awk '/^artifactnet-tm/{print $1}'); do ip netns del "$ns"; done
    ip link del "$bridge" 2>/dev/null || true
  fi
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) registered ;;
  kill-taskmanager) kill -9 -- "-$(cat "$home/pid/taskmanager${2:?number}")" ;;
  *) die "use cluster.sh start|stop|status|kill-taskmanager N" ;;
esac
