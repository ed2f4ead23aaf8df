# Runs a command as a container runtime would: a root of its own that is read-only, processes, mounts and network of its own, no
# capability, the least limits that runtimes set. What it cannot show is the runtime's own seccomp profile.
# Usage, below unshare --mount --net --pid --fork: sh pod.sh ROOT PROGRAM FILES WRITABLE USER GROUP COMMAND...
set -eu
root=$1 program=$2 files=$3 writable=$4 user=$5 group=$6
shift 6

ip link set lo up
mount --make-rprivate /
mount -t tmpfs -o mode=0755 root "$root"
# Debian's /usr stands for the image's; the program lies where the image has it in its PATH.
mkdir "$root/usr" "$root/etc" "$root/proc" "$root/dev" "$root/app"
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
for link in bin lib lib64 sbin; do ln -s "usr/$link" "$root/$link"; done
cp /etc/ld.so.cache "$root/etc/"
touch "$root/app/tessera"
mount --bind "$program" "$root/app/tessera"
cp -a "$files/." "$root/"
mount -t proc proc "$root/proc"
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
for folder in $writable; do
    mkdir -p "$root$folder"
    # As a volume under fsGroup: root's, and the group may write.
    mount -t tmpfs -o "mode=2775,gid=$group" volume "$root$folder"
done
mount -o remount,ro "$root"
# A change of account forgets who ends with whom, so it is said after it.
exec chroot "$root" /usr/bin/prlimit --nofile=1024:4096 --memlock=65536:65536 --core=0:0 \
    /usr/bin/setpriv --reuid "$user" --regid "$group" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs --pdeathsig KILL "$@"
