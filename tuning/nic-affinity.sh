#!/usr/bin/env bash
# nic-affinity.sh: gives a network card as many queues as cores named, one queue's interrupt to one core.
#
#   nic-affinity.sh IFACE CPUS            shows what would be done (CPUS like 0-3,8)
#   nic-affinity.sh IFACE CPUS --apply    does it (root)
#
# Why: an interrupt that lands on a shard's core in the middle of a turn is latency nobody asked for, and one core that
# takes every interrupt is the machine's limit. Two layouts to compare: interrupts on cores of their own (name cores
# that thread-affinity leaves out), best for the tail; or on the shards' cores, best for throughput on small machines.
# To measure: load generator on another host, open loop at 70 % of the maximum, p99.9 and requests/s for both layouts;
# the deltas of /proc/interrupts and of mpstat -P ALL (%soft) say whether it took. Not measured on a real card yet.
# Bounds: changes nothing without --apply, and nothing survives a reboot. irqbalance would undo it: the script refuses
# to apply while it runs.
set -euo pipefail

usage() {
  echo "usage: $0 IFACE CPUS [--apply]   (CPUS like 0-3,8)" >&2
  exit 2
}

[[ $# -eq 2 || ($# -eq 3 && $3 == --apply) ]] || usage
iface=$1
list=$2
apply=${3:-}

# Expands 0-3,8 to one core a line.
expand_cpus() {
  local part first last
  local -a parts
  IFS=, read -ra parts <<<"$1"
  for part in "${parts[@]}"; do
    [[ $part =~ ^[0-9]+(-[0-9]+)?$ ]] || { echo "not a core list: $1" >&2; return 1; }
    first=${part%-*}
    last=${part#*-}
    ((first <= last)) || { echo "not a core list: $1" >&2; return 1; }
    seq "$first" "$last"
  done
}

# Shows a write, and does it with --apply; a file the driver does not accept is told, not fatal.
put() {
  echo "echo $1 > $2"
  [[ $apply == --apply ]] || return 0
  printf '%s\n' "$1" >"$2" || echo "  not accepted by the kernel: $2" >&2
}

# Shows a command, and runs it with --apply.
run() {
  echo "$*"
  [[ $apply == --apply ]] || return 0
  "$@" || echo "  not accepted by the driver: $*" >&2
}

# The bit mask /sys wants for one core: words of 32 bits, highest first.
mask_of() {
  local cpu=$1 mask
  mask=$(printf '%x' $((1 << (cpu % 32))))
  local word
  for ((word = cpu / 32; word > 0; word--)); do mask+=,00000000; done
  printf '%s\n' "$mask"
}

[[ -d /sys/class/net/$iface ]] || { echo "no interface $iface" >&2; exit 1; }
expanded=$(expand_cpus "$list")
mapfile -t cpus <<<"$expanded"
for cpu in "${cpus[@]}"; do
  [[ -d /sys/devices/system/cpu/cpu$cpu ]] || { echo "no core $cpu" >&2; exit 1; }
done
if [[ $apply == --apply ]]; then
  [[ $EUID -eq 0 ]] || { echo "--apply needs root" >&2; exit 1; }
  if pgrep -x irqbalance >/dev/null; then
    echo "irqbalance runs and would undo this: systemctl disable --now irqbalance" >&2
    exit 1
  fi
fi

# Why: one queue per core; more only split the same work, fewer leave cores without one.
if command -v ethtool >/dev/null; then
  run ethtool -L "$iface" combined "${#cpus[@]}"
  # Why: the driver's adaptive coalescing trades latency for fewer interrupts as the rate rises; start from that.
  # To measure: the same with `rx-usecs 0` (lowest latency, most interrupts).
  run ethtool -C "$iface" adaptive-rx on
else
  echo "# ethtool is missing (apt-get install -y ethtool): number of queues and coalescing stay as they are" >&2
fi

# Why: MSI vectors of the card, in the order of their queues, one core each, round and round.
mapfile -t irqs < <(find "/sys/class/net/$iface/device/msi_irqs" -mindepth 1 -printf '%f\n' 2>/dev/null | sort -n)
if [[ ${#irqs[@]} -eq 0 ]]; then
  echo "# $iface names no MSI interrupts (a virtual device?): no interrupt to move" >&2
fi
position=0
for irq in "${irqs[@]}"; do
  # The vectors for configuration and link state carry no packets: they are passed over.
  if grep -qE "^ *$irq:.*(config|control|async|misc)" /proc/interrupts; then continue; fi
  put "${cpus[position % ${#cpus[@]}]}" "/proc/irq/$irq/smp_affinity_list"
  position=$((position + 1))
done

# Why: XPS: a core sends through the queue whose completions come back to it.
position=0
for queue in "/sys/class/net/$iface/queues"/tx-*; do
  [[ -e $queue/xps_cpus ]] || continue
  put "$(mask_of "${cpus[position % ${#cpus[@]}]}")" "$queue/xps_cpus"
  position=$((position + 1))
done

# Why: RPS would move packets once more between cores, after the card has already chosen the queue.
for queue in "/sys/class/net/$iface/queues"/rx-*; do
  [[ -e $queue/rps_cpus ]] && put 0 "$queue/rps_cpus"
done
exit 0
