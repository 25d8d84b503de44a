#!/usr/bin/env bash
# Runs points of a grid or of a random search, several at a time, and goes on
# where it was stopped. From the root of the repository (bash 5.1 or newer):
#
#   experiments/sweep.sh --out=runs/r1 --jobs=2 --config=configs/dcgan.py:penalty=r1 \
#     'penalties[0].weight=1,10' discriminator.norm=none,layer seed=0,1,2
#   experiments/sweep.sh --random=20 --out=runs/rates --config=configs/dcgan.py \
#     gen_optimizer.learning_rate=1e-5..1e-3:log disc_steps=1..3 seed=0,1
#
#   key=a,b,c      values of any key of the config; (64,32),(128,64) are two
#   :loss=a,b      what stands behind the colon of --config
#   key=1..5       with --random: uniform, whole between whole numbers, else
#   key=0.1..5:log real with six digits; or log-uniform
#   seed=0,1,2     every point with each of these seeds, never drawn
#   --random=N     N points instead of all, of --random_seed=0; more points
#                  and other keys leave what is drawn as it is
#   --out=runs/sweep  folder of the points; --jobs=1: how many run at a time
#   --dry_run      print the commands; --points=FILE: write them to a file, a
#                  line for each, for a job array:
#                    sbatch --array=1-$(wc -l <FILE) --gres=gpu:1 \
#                      experiments/cluster/slurm.sbatch @FILE
#                  which saves before the time is over, and is requeued
# All other flags go to every point. The same command skips points that are
# finished, resumes the others, and never starts a run that is still going on.
# It prints [2 of 6] and the point when one starts and when it ends.
# Nothing starts where the first and the last point have mistakes in their config.
# A point that fails is listed at the end, with status 1; its output is in
# log.txt in its folder. Ctrl-C and SIGTERM let the points save, and stop. The
# jobs share a GPU only if XLA_PYTHON_CLIENT_MEM_FRACTION lets them.
set -euo pipefail
export LC_ALL=C  # Numbers with points, and names of the same letters anywhere.

fail() { echo "sweep.sh: $1" >&2; exit 2; }

out=runs/sweep jobs=1 random=0 random_seed=0 show='' file='' config=''
common=() keys=() lists=() seeds=()
for arg; do
  case $arg in
    --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit ;;
    --out=*) out=${arg#*=} ;;
    --jobs=*) jobs=${arg#*=} ;;
    --random=*) random=${arg#*=} ;;
    --random_seed=*) random_seed=${arg#*=} ;;
    --dry_run) show=1 ;;
    --points=*) file=${arg#*=} ;;
    --workdir*) fail "$arg: each point has its own folder in --out" ;;
    --config=*) config=$arg ;;
    -*) common+=("$arg") ;;
    seed=*) IFS=, read -ra seeds <<<"${arg#*=}" ;;
    *) [[ $arg =~ ^:?[A-Za-z_][]A-Za-z0-9_.[]*= ]] ||
         fail "$arg: is neither --flag=value nor key=values"
       keys+=("${arg%%=*}") lists+=("${arg#*=}") ;;
  esac
done
[[ $config ]] || fail 'give --config=configs/dcgan.py'
[[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "--jobs=$jobs: must be 1 or more"
[[ $random =~ ^[0-9]+$ ]] || fail "--random=$random: must be a number"
((${#keys[@]} + ${#seeds[@]})) || fail 'give key=values'

# 'a,(1,2),b' -> values=(a '(1,2)' b): at the commas outside of brackets.
split() {
  local text=$1, depth=0 word='' c i
  values=()
  for ((i = 0; i < ${#text}; i++)); do
    c=${text:i:1}
    case $c in
      [\(\[\{]) depth=$((depth + 1)) ;;
      [\)\]\}]) depth=$((depth - 1)) ;;
    esac
    if [[ $c == , && $depth == 0 ]]; then values+=("$word") word=
    else word+=$c; fi
  done
  [[ ! $word ]] || fail "$text brackets do not match"
}

# draw KEY LIST NUMBER -> value, by a hash: the same on every machine, for each
# key on its own.
draw() {
  local number='(-?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?)' bits
  bits=$(sha256sum <<<"$random_seed $1 $3")
  bits=$((16#${bits:0:13}))  # of 2^52
  if [[ $2 =~ ^$number\.\.$number(:log)?$ ]]; then
    value=$(awk -v u="$bits" -v low="${BASH_REMATCH[1]}" \
      -v high="${BASH_REMATCH[3]}" -v curve="${BASH_REMATCH[5]}" 'BEGIN {
        whole = (low high ~ /^[-0-9]+$/); u /= 2 ^ 52
        if (high + 0 <= low + 0 || (curve && low <= 0)) exit 1
        if (whole) high++  # The last number is one of them.
        x = curve ? low * exp(u * log(high / low)) : low + u * (high - low)
        printf whole ? "%d" : "%.6g", whole ? low + int(x - low) : x
      }') || fail "$1=$2: the range is empty, or its log begins below 0 or at it"
  else
    split "$2"
    value=${values[bits * ${#values[@]} >> 52]}
  fi
}

# Points are 'key=value' after 'key=value', each with a tab behind it.
points=('')
if ((random)); then
  points=()
  for ((n = 0; n < random; n++)); do
    point=''
    for k in "${!keys[@]}"; do
      draw "${keys[k]}" "${lists[k]}" "$n"
      point+=${keys[k]}=$value$'\t'
    done
    points+=("$point")
  done
else
  for k in "${!keys[@]}"; do
    [[ ! ${lists[k]} =~ [0-9]\.\.[-.0-9] ]] ||
      fail "${keys[k]}=${lists[k]}: a range needs --random=N"
    split "${lists[k]}"
    longer=()
    for point in "${points[@]}"; do
      for value in "${values[@]}"; do
        longer+=("$point${keys[k]}=$value"$'\t')
      done
    done
    points=("${longer[@]}")
  done
fi

# compose POINT SEED -> folder, command=(...): a run and where it lies.
compose() {
  local assignments behind=$config flags=() name colon colons=(+)
  [[ $1 != *:* ]] || colons=('' +)
  IFS=$'\t' read -ra assignments <<<"$1${2:+seed=$2}"
  for a in "${assignments[@]}"; do
    if [[ $a != :* ]]; then flags+=("--config.$a")
    elif [[ $behind == *:* ]]; then behind+=,${a#:}
    else behind+=$a; fi
  done
  # :loss=hinge lies in +loss=hinge, of older sweeps in loss=hinge.
  for colon in "${colons[@]}"; do
    name=$(IFS=-; sed -E "s/(^|-):/\1$colon/g; s/[][(){}'\" ]//g
      s/[^A-Za-z0-9_.,=+%-]+/_/g" <<<"${assignments[*]}")
    if ((${#name} > 200)); then  # Longer names are no file names.
      name=${name:0:180}-$(sha256sum <<<"$1$2" | cut -c1-12)
    fi
    folder=$out/$name
    [[ ! -e $folder/config.json ]] || break
  done
  command=(python -m gan_jax.main "$behind" "${common[@]}" "${flags[@]}"
           --workdir="$folder")
}

# The words of a command, quoted for a shell where they need it.
quoted() {
  local word line=''
  for word; do
    [[ $word =~ ^[A-Za-z0-9_./:=,+%-]+$ ]] || word=${word@Q}
    line+=$word' '
  done
  echo "${line% }"
}

folders=() lines=()
declare -A line_of=()
for point in "${points[@]}"; do
  for seed in "${seeds[@]:-}"; do
    compose "$point" "$seed"
    line=$(quoted "${command[@]}")
    if [[ ${line_of[$folder]-$line} != "$line" ]]; then
      fail "two points would share the folder $folder"
    fi
    # A random search may draw a point twice.
    [[ ${line_of[$folder]-} ]] || { folders+=("$folder"); lines+=("$line"); }
    line_of[$folder]=$line
  done
done
if [[ $show ]]; then printf '%s\n' "${lines[@]}"; exit; fi
if [[ $file ]]; then printf '%s\n' "${lines[@]}" >"$file"; exit; fi

# check LINE: whether its config and data will do; else FAILS says why not.
check() {
  local status=0
  fails=$(eval "$1 --dry_run" 2>&1 >/dev/null </dev/null) || status=$?
  ((status != 2 && status != 3))
}

# A wrong key is wrong at every point, a wrong value at some of them: where the
# first and the last will not do, none is started.
if [[ ! -e ${folders[0]}/launches.jsonl &&
        ! -e ${folders[0]}/population.json ]] &&
     ! check "${lines[0]}" && ! check "${lines[-1]}"; then
  echo "$fails" >&2
  fail 'nothing was started: neither the first nor the last point would run'
fi

# writable FOLDER: whether a line can be added to its log.txt; else WHY says why
# not. A full disk takes an empty file, and no word of what failed.
writable() {
  why=$( { mkdir -p "$1" && echo >>"$1/log.txt"; } 2>&1) || {
    why="cannot write log.txt: ${why##*: }"
    return 1
  }
}

# run FOLDER COMMAND...: in a process of its own, which becomes the run.
run() {
  if python -m gan_jax.run.status "$1" "${@:5}"; then exit; fi
  writable "$1" || exit 4
  # The output is locked as long as somebody writes there: runs may be going on
  # of another sweep, or of one that was killed. A run takes its own lock late.
  exec 3>&1 >>"$1/log.txt" 2>&1 </dev/null
  if ! flock -n 1 || { [[ -e $1/lock ]] && ! flock -sn "$1/lock" true; }; then
    echo "waiting for the run that holds $1" >&3
    flock 1
    [[ ! -e $1/lock ]] || flock -s "$1/lock" true
    if python -m gan_jax.run.status "$1" "${@:5}"; then exit; fi
  fi
  exec "${@:2}" 3>&-
}

stop=0
declare -A running=() place=()
halt() {
  stop=$1
  echo 'stopping; the same command goes on'
  ((${#running[@]} == 0)) || kill -TERM "${!running[@]}" 2>/dev/null || true
}
trap 'halt 130' INT
trap 'halt 143' TERM HUP
# A process group for each job: Ctrl-C is for this shell alone, which asks each
# of them once; twice would be not to wait until it is saved.
set -m

failures=()
reap() {  # Waits until one of the jobs ends, or a signal comes.
  local pid='' status=0 folder why
  wait -n -p pid "${!running[@]}" || status=$?
  [[ ${pid-} ]] || return 0
  folder=${running[$pid]}
  unset "running[$pid]"
  if ((status == 0)); then
    echo "${place[$folder]} $folder: finished"
    return
  fi
  if writable "$folder"; then
    why=$(tr '\r' '\n' <"$folder/log.txt" | grep -v '^ *$' | tail -n 1) || true
  fi
  echo "${place[$folder]} $folder: exit status $status"
  failures+=("$folder: exit status $status: $why")
}

for i in "${!folders[@]}"; do
  while ((${#running[@]} >= jobs)); do reap; done
  ((stop == 0)) || break
  place[${folders[i]}]="[$((i + 1)) of ${#folders[@]}]"
  echo "${place[${folders[i]}]} ${folders[i]}: starts"
  eval "run ${folders[i]@Q} ${lines[i]}" &
  running[$!]=${folders[i]}
  ((stop == 0)) || kill -TERM $!  # A signal came in between.
done
while ((${#running[@]})); do reap; done
((stop == 0)) || exit "$stop"
echo "${#folders[@]} points, ${#failures[@]} of them failed"
((${#failures[@]} == 0)) || { printf '* %s\n' "${failures[@]}" >&2; exit 1; }
